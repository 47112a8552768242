"""One Yosys run, and what it counted."""

import os
import re
import subprocess
from pathlib import Path

OPTIONS = "-family xcup -noiopad -noclkbuf -nosrl -nodsp -flatten"


def version():
    return subprocess.run(["yosys", "-V"], check=True, capture_output=True, text=True).stdout.strip()


def count(verilog, top):
    """LUT, FF and CARRY4 cells of a file, cells on its longest path between registers, and CPU seconds."""
    stat = Path(verilog).with_suffix(".stat")
    paths = Path(verilog).with_suffix(".paths")
    script = f"read_verilog {verilog}; synth_xilinx {OPTIONS} -top {top}; tee -q -o {stat} stat; tee -q -o {paths} ltp -noff t:FD* %n"
    process = subprocess.Popen(["yosys", "-q", "-p", script], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"yosys failed on {verilog}")
    cells = {name: int(n) for name, n in re.findall(r"^\s+([A-Z][A-Z0-9_]*)\s+(\d+)\s*$", stat.read_text(), re.M)}
    return {
        "lut": sum(n for name, n in cells.items() if re.fullmatch(r"LUT\d", name)),
        "ff": sum(n for name, n in cells.items() if name.startswith("FD")),
        "carry": cells.get("CARRY4", 0),
        "levels": int(re.search(r"length=(\d+)", paths.read_text())[1]),
        "cells": cells,
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
    }

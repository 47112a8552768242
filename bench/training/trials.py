"""Runs whole trials of all engines in turns, a process each: python trials.py ROUNDS SECTION.json NAME=COMMAND ... (`bitfront` among the names)"""

import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path


def trial(name, command):
    """CPU seconds of all threads from the start of the process to its end, seconds by the clock, peak memory, what it printed."""
    before = time.monotonic()
    process = subprocess.Popen(shlex.split(command), stdout=subprocess.PIPE, text=True)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{name} ended with exit code {process.returncode}")
    answer = json.loads(said[said.index("{") :])
    accuracy = answer.get("test_accuracy", answer.get("scores", {}).get("accuracy_test"))
    return {
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "wall_s": time.monotonic() - before,
        "peak_mib": usage.ru_maxrss / 1024,
        "test_accuracy": accuracy,
    }


def main(rounds, section, commands):
    commands = dict(command.split("=", 1) for command in commands)
    runs = {name: [] for name in commands}
    for turn in range(rounds):
        for name, command in commands.items():
            runs[name].append(trial(name, command))
        print(f"round {turn + 1}: " + ", ".join(f"{name} {all_[-1]['cpu_s']:.2f} CPU s" for name, all_ in runs.items()), flush=True)
    ratios, table = {}, {}
    for name, all_ in runs.items():
        table[name] = {field: statistics.median(run[field] for run in all_) for field in all_[0]} | {"runs": all_}
        if name != "bitfront":
            pairs = zip(all_, runs["bitfront"], strict=True)
            ratios[name] = statistics.median(theirs["cpu_s"] / ours["cpu_s"] for theirs, ours in pairs)
    print(f"{'engine':14} {'CPU s':>8} {'wall s':>8} {'MiB':>7} {'ours is':>8} {'accuracy':>9}")
    for name, row in table.items():
        times = f"{ratios[name]:.1f}x" if name in ratios else ""
        print(f"{name:14} {row['cpu_s']:8.2f} {row['wall_s']:8.2f} {row['peak_mib']:7.0f} {times:>8} {row['test_accuracy']:9.4f}")
    Path(section).write_text(json.dumps({"rounds": rounds, "ratios": ratios, "engines": table}), encoding="utf-8")


main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])

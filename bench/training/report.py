"""Puts the sections of a run together: python report.py REPORT.json PART=SECTION.json ..."""

import json
import os
import sys
from pathlib import Path

WHAT = {
    "mlp": "16-64-32-32-5, 6-bit weights, biases and activations, batch 1024, Adam, one thread; samples per CPU second of a warm epoch",
    "conv": "three convolutions and two dense layers on Fashion-MNIST, all 6 bits, batch 256; the same",
    "conv_1024": "the same with batch 1024",
    "trial": "a whole trial of the first network in a process of its own: 10 epochs of 660,000 rows, reading, validation and scores; CPU seconds",
}


def main(report, sections):
    sections = {part: json.loads(Path(path).read_text(encoding="utf-8")) for part, path in (s.split("=", 1) for s in sections)}
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = [line.split(":", 1)[1].strip() for line in info if line.startswith(("model name", "cpu family", "model\t"))][:3]
    result = {"machine": {"model": model, "cores": os.cpu_count(), "load": os.getloadavg()}, "ratios": {}}
    for part, section in sections.items():
        prefix = "" if part == "mlp" else f"{part}_"
        result["ratios"] |= {prefix + name: ratio for name, ratio in section["ratios"].items()}
        if "share_of_peak_by_level" in section:
            result[f"{prefix}share_of_peak"] = section["share_of_peak_by_level"]["bitfront"]
        result[part] = {"what": WHAT[part]} | section
    Path(report).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


main(sys.argv[1], sys.argv[2:])

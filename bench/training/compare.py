"""Runs all engines in turns and writes the report: python compare.py ROUNDS REPORT NAME=COMMAND ..."""

import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

TRAIN_ROWS = 199_680
# Epochs a turn: about as long for the quick engines as for the slow ones.
TURNS = {"bitfront": 8, "bitfront_avx2": 8, "burn_flex": 2}
FLOP_PER_SAMPLE = 23_488


class Engine:
    def __init__(self, name, command):
        self.name, self.rates, self.seconds = name, [], []
        self.process = subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.start = self.answer()

    def answer(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        sys.exit(f"{self.name} ended without an answer (exit code {self.process.wait()})")

    def turn(self):
        self.process.stdin.write(f"{TURNS.get(self.name, 1)}\n")
        self.process.stdin.flush()
        answer = self.answer()
        self.seconds.append(answer)
        self.rates.append(TRAIN_ROWS / statistics.median(answer["seconds"]))

    def end(self):
        self.process.stdin.close()
        answer = self.answer()
        self.process.wait()
        return answer


def main(rounds, report, commands):
    engines = {name: Engine(name, command) for name, command in (c.split("=", 1) for c in commands)}
    for turn in range(rounds):
        for engine in engines.values():
            engine.turn()
        print(f"round {turn + 1}: " + ", ".join(f"{e.name} {e.rates[-1] / 1e6:.3f} M" for e in engines.values()), flush=True)
    ends = {name: engine.end() for name, engine in engines.items()}
    table = {}
    for name, engine in engines.items():
        table[name] = {
            "samples_per_cpu_s": statistics.median(engine.rates),
            "spread": [min(engine.rates), max(engine.rates)],
            "rounds": engine.seconds,
            "start": engine.start,
            "accuracy": ends[name]["accuracy"],
        }
    ours = engines["bitfront"].rates
    ratios = {}
    for name, engine in engines.items():
        if not name.startswith("bitfront"):
            ratios[name] = statistics.median(a / b for a, b in zip(ours, engine.rates, strict=True))
    shares = {}
    for name in ("bitfront", "bitfront_avx2"):
        if name in engines:
            peaks = [turn["peak_gflops"] for turn in engines[name].seconds]
            rates = engines[name].rates
            shares[name] = statistics.median(r * FLOP_PER_SAMPLE * 1e-9 / p for r, p in zip(rates, peaks, strict=True))
    machine = {"cpu": platform.processor() or platform.machine(), "load": os.getloadavg(), "cores": os.cpu_count()}
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        machine["model"] = [line.split(":", 1)[1].strip() for line in info if line.startswith(("model name", "cpu family", "model\t"))][:3]
    result = {
        "what": "16-64-32-32-5, 6-bit weights, biases and activations, batch 1024, Adam, one thread; samples per CPU second of a warm epoch",
        "ratios": ratios,
        "share_of_peak": shares["bitfront"],
        "share_of_peak_by_level": shares,
        "engines": table,
        "rounds": rounds,
        "machine": machine,
    }
    Path(report).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{'engine':14} {'samples/CPU s':>14} {'spread':>24} {'ours is':>8} {'accuracy':>9}")
    for name, row in table.items():
        low, high = row["spread"]
        times = f"{ratios[name]:.1f}x" if name in ratios else ""
        print(f"{name:14} {row['samples_per_cpu_s']:14,.0f} {low:11,.0f} -{high:11,.0f} {times:>8} {row['accuracy']:9.4f}")
    print("share of the f32 FMA peak: " + ", ".join(f"{name} {share:.3f}" for name, share in shares.items()))


main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])

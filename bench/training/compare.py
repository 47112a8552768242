"""Trains warm epochs of all engines in turns: python compare.py ROUNDS SECTION.json NAME=COMMAND ... (`bitfront` among the names)"""

import json
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

# Epochs a turn: about as long for the quick engines as for the slow ones.
TURNS = {"bitfront": 8, "bitfront_avx2": 8, "burn_flex": 2}


class Engine:
    def __init__(self, name, command):
        self.name, self.rates, self.turns = name, [], []
        self.process = subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.start = self.answer()

    def answer(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        sys.exit(f"{self.name} ended without an answer (exit code {self.process.wait()})")

    def turn(self, rows):
        self.process.stdin.write(f"{TURNS.get(self.name, 1)}\n")
        self.process.stdin.flush()
        answer = self.answer()
        self.turns.append(answer)
        self.rates.append(rows / statistics.median(answer["seconds"]))

    def end(self):
        self.process.stdin.close()
        answer = self.answer()
        self.process.wait()
        return answer


def main(rounds, section, commands):
    engines = {name: Engine(name, command) for name, command in (c.split("=", 1) for c in commands)}
    ours = engines["bitfront"]
    rows, operations = ours.start["rows"], ours.start["operations"]
    for turn in range(rounds):
        for engine in engines.values():
            engine.turn(rows)
        print(f"round {turn + 1}: " + ", ".join(f"{e.name} {e.rates[-1] / 1e6:.3f} M" for e in engines.values()), flush=True)
    ends = {name: engine.end() for name, engine in engines.items()}
    table, ratios, shares = {}, {}, {}
    for name, engine in engines.items():
        table[name] = {
            "samples_per_cpu_s": statistics.median(engine.rates),
            "spread": [min(engine.rates), max(engine.rates)],
            "rounds": engine.turns,
            "start": engine.start,
            "accuracy": ends[name]["accuracy"],
        }
        if name.startswith("bitfront"):
            work = [rate * operations * 1e-9 / turn["peak_gflops"] for rate, turn in zip(engine.rates, engine.turns, strict=True)]
            shares[name] = statistics.median(work)
        else:
            ratios[name] = statistics.median(a / b for a, b in zip(ours.rates, engine.rates, strict=True))
    print(f"{'engine':14} {'samples/CPU s':>14} {'spread':>24} {'ours is':>8} {'accuracy':>9}")
    for name, row in table.items():
        low, high = row["spread"]
        times = f"{ratios[name]:.1f}x" if name in ratios else ""
        print(f"{name:14} {row['samples_per_cpu_s']:14,.0f} {low:11,.0f} -{high:11,.0f} {times:>8} {row['accuracy']:9.4f}")
    print("share of the f32 FMA peak: " + ", ".join(f"{name} {share:.3f}" for name, share in shares.items()))
    result = {"rounds": rounds, "ratios": ratios, "share_of_peak_by_level": shares, "engines": table}
    Path(section).write_text(json.dumps(result), encoding="utf-8")


main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])

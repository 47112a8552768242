"""Holds our accuracies against QKeras' stored ones: python parity.py PROGRAM FOLDER PEERS RESULT.

Exits with 1 where ours is worse than accepted, or where stored runs are missing.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path

LEAST = 0.002
FORMATS = ("float", "8_bit", "6_bit", "4_bit", "ternary", "binary")
SEEDS = 5


def ours(program, folder, run):
    command = [program, "train", folder, run["format"], str(run["seed"])]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main(program, folder, peers, result):
    theirs = json.loads(Path(peers).read_text(encoding="utf-8"))["runs"]
    runs, table = [ours(program, folder, run) for run in theirs], {}
    for name in dict.fromkeys(run["format"] for run in theirs):
        pairs = [(a, b) for a, b in zip(runs, theirs, strict=True) if a["format"] == name]
        differences = [a["accuracy"] - b["accuracy"] for a, b in pairs]
        mean, count = statistics.mean(differences), len(differences)
        error = statistics.stdev(differences) / count**0.5 if count > 1 else 0.0
        gaps = [[abs(x - y) for x, y in zip(a["losses"], b["losses"], strict=True)] for a, b in pairs]
        epochs = [max(gap) for gap in zip(*gaps, strict=True)]
        table[name] = {
            "seeds": count,
            "ours": statistics.mean(a["accuracy"] for a, _ in pairs),
            "qkeras": statistics.mean(b["accuracy"] for _, b in pairs),
            "difference": mean,
            "standard_error": error,
            "accepted": mean >= -max(LEAST, 2 * error),
            "largest_loss_difference_by_epoch": epochs,
        }
    Path(result).write_text(json.dumps({"table": table, "runs": runs}, indent=1) + "\n", encoding="utf-8")
    print(f"{'format':8} {'seeds':>5} {'ours':>8} {'qkeras':>8} {'difference':>10} {'std error':>9} {'loss, epoch 1':>13} {'loss, last':>10}")
    for name, row in table.items():
        losses = row["largest_loss_difference_by_epoch"]
        print(
            f"{name:8} {row['seeds']:5} {row['ours']:8.4f} {row['qkeras']:8.4f} {row['difference']:+10.4f} {row['standard_error']:9.4f} "
            f"{losses[0]:13.6f} {losses[-1]:10.6f} {'' if row['accepted'] else 'worse than accepted'}"
        )
    missing = [name for name in FORMATS if table.get(name, {"seeds": 0})["seeds"] < SEEDS]
    if missing:
        print(f"fewer than {SEEDS} stored runs of QKeras: {', '.join(missing)}; --peers runs them", file=sys.stderr)
    return 0 if not missing and all(row["accepted"] for row in table.values()) else 1


sys.exit(main(*sys.argv[1:]))

"""Synthesises every network of a folder and compares with what was estimated."""

import argparse
import json
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "circuits"))

import latency
import peer
import synthesis

THIRDS = [("under 2 k", 0, 2_000), ("2-6 k", 2_000, 6_000), ("6-15 k", 6_000, 15_000)]


def ranks(values):
    """Ranks from 0; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for place in order[start:end]:
            found[place] = (start + end - 1) / 2
        start = end
    return found


def spearman(a, b):
    return statistics.correlation(ranks(a), ranks(b)) if len(a) > 2 else None


def against_measured(rows, key):
    """How one figure ranks and how far it is from the measured LUTs."""
    measured, said = [row["lut_measured"] for row in rows], [row[key] for row in rows]
    errors = sorted(abs(s / m - 1) * 100 for s, m in zip(said, measured, strict=True))
    by_third = {}
    for name, low, high in THIRDS:
        part = [row for row in rows if low <= row["lut_measured"] < high]
        by_third[name] = {
            "networks": len(part),
            "spearman": spearman([row[key] for row in part], [row["lut_measured"] for row in part]),
        }
    return {
        "spearman": spearman(said, measured),
        "thirds": by_third,
        "error_percent_median": statistics.median(errors),
        "error_percent_p90": errors[min(len(errors) - 1, -(-len(errors) * 9 // 10) - 1)],
        "error_percent_worst": errors[-1],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True)
    parser.add_argument("--report", required=True)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    folder = Path(arguments.folder)
    content = json.loads((folder / "networks.json").read_text())

    def measure(row):
        counted = synthesis.count(folder / f"{row['name']}.v", "network")
        print(row["name"], row["lut_estimate"], counted["lut"], f"{counted['cpu_s']} s", flush=True)
        return counted

    with ThreadPoolExecutor(arguments.jobs) as pool:
        measured = list(pool.map(measure, content["networks"]))
    rows = []
    for row, counted in zip(content["networks"], measured, strict=True):
        layers = row.pop("layers")
        rows.append(row | {
            "lut_measured": counted["lut"],
            "ff_measured": counted["ff"],
            "carry_measured": counted["carry"],
            "levels_measured": counted["levels"],
            "cells": counted["cells"],
            "synthesis_cpu_s": counted["cpu_s"],
            "cycles_simulated": latency.edges(folder / f"{row['name']}.v", "network"),
            "cost_da4ml": sum(peer.run(case)["cost"] for case in layers),
        })
    report = {
        "engine": synthesis.version(),
        "options": synthesis.OPTIONS,
        "seed": content["seed"],
        "networks": len(rows),
        "against_lut_measured": {
            key: against_measured(rows, key)
            for key in ("lut_estimate", "lut_tier0", "ebops", "cost_da4ml")
        },
        "ff_error_percent_worst": max(abs(row["ff_estimate"] / row["ff_measured"] - 1) * 100 for row in rows),
        "ff_exact": sum(row["ff_estimate"] == row["ff_measured"] for row in rows),
        "carry_error_percent_worst": max(abs(row["carry_estimate"] / row["carry_measured"] - 1) * 100 for row in rows),
        "levels_error": sorted(row["levels_estimate"] - row["levels_measured"] for row in rows),
        "cycles_equal": sum(row["cycles_simulated"] == [row["cycles"]] for row in rows),
        "rows": rows,
    }
    Path(arguments.report).write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps({key: report[key] for key in report if key != "rows"}, indent=1))


if __name__ == "__main__":
    main()

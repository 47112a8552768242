"""Runs both solvers on every matrix, checks ours, and writes the report."""

import argparse
import json
import math
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path

import matrices
import peer
import prices


def ours(solver, content):
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder, "matrices.json"), Path(folder, "graphs.json")
        given.write_text(json.dumps(content))
        subprocess.run([solver, given, answer], check=True)
        return json.loads(answer.read_text())["cases"]


def check(case, row):
    """Our graph's coefficients and price, from the record of it alone."""
    rows, columns = case["shape"]
    graph, ranges = row["graph"], matrices.inputs(case)
    scale = Fraction(2) ** -case.get("fraction_bits", 0)
    found = prices.coefficients(graph["adders"], graph["outputs"], rows)
    for column in range(columns):
        for number in range(rows):
            low, high, _ = ranges[number]
            expected = case["kernel"][number * columns + column] * scale
            if (low, high) != (0, 0) and found[column][number] != expected:
                raise SystemExit(f"{row['name']}: entry ({number}, {column}) is wrong")
    if prices.price(graph["adders"], ranges) != row["cost"]:
        raise SystemExit(f"{row['name']}: the price is wrong")


def mean(ratios):
    ratios = [ratio for ratio in ratios if ratio is not None]
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def ratio(a, b):
    """None where a comparison says nothing: both or either without an adder."""
    return a / b if a > 0 and b > 0 else None


def group(rows, key):
    """Geometric mean of the cost ratio for each value of a key."""
    values = sorted({row[key] for row in rows if row[key] is not None}, key=str)
    return {
        str(value): mean([row["cost_ratio"] for row in rows if row[key] == value]) for value in values
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--solver", required=True)
    parser.add_argument("--report", required=True)
    parser.add_argument("--matrices")
    arguments = parser.parse_args()

    files = matrices.read(arguments.matrices) if arguments.matrices else matrices.made()
    rows, networks = [], []
    for file, content in files.items():
        answers = ours(arguments.solver, content)
        for (name, case), row in zip(matrices.cases(content), answers, strict=True):
            assert name == row["name"]
            check(case, row)
            theirs = peer.run(case)
            if theirs["cost_repriced"] != theirs["cost"]:
                raise SystemExit(f"{file} {name}: our price of da4ml's graph is not da4ml's")
            recorded = case.get("da4ml", {}).get("cost")
            rows.append({
                "file": file,
                "name": name,
                "shape": "x".join(map(str, case["shape"])),
                "weight_bits": case.get("weight_bits"),
                "sparsity": case.get("sparsity"),
                "cost": row["cost"],
                "cost_da4ml": theirs["cost"],
                "cost_da4ml_recorded": recorded,
                "cost_ratio": ratio(row["cost"], theirs["cost"]),
                "seconds": row["seconds"],
                "seconds_da4ml": theirs["seconds"],
                "time_ratio": ratio(row["seconds"], theirs["seconds"]),
                "adders": row["adders"],
                "adders_da4ml": theirs["adders"],
                "depth": row["depth"],
                "depth_da4ml": theirs["depth"],
                "graph": row["graph"],
            })
        for number, network in enumerate(content.get("networks", [])):
            layers = [row for row in rows if row["file"] == file and row["name"].startswith(f"{number}.")]
            networks.append({
                "file": file,
                "network": number,
                "cost": sum(row["cost"] for row in layers),
                "cost_da4ml": sum(row["cost_da4ml"] for row in layers),
                "cost_da4ml_recorded": network.get("da4ml_sum_of_layers"),
            })

    report = {
        "peer": "da4ml 0.6.0",
        "peer_options": peer.OPTIONS,
        "cost_unit": "bits of adder accumulators",
        "cost_ratio_geomean": mean([row["cost_ratio"] for row in rows]),
        "time_ratio_geomean": mean([row["time_ratio"] for row in rows]),
        "depth_ratio_geomean": mean([ratio(row["depth"], row["depth_da4ml"]) for row in rows]),
        "cost_ratio_by": {key: group(rows, key) for key in ("file", "weight_bits", "sparsity", "shape")},
        "seconds": sum(row["seconds"] for row in rows),
        "seconds_da4ml": sum(row["seconds_da4ml"] for row in rows),
        "networks": networks,
        "cases": rows,
    }
    Path(arguments.report).write_text(json.dumps(report) + "\n")
    print(json.dumps({key: report[key] for key in report if key != "cases"}, indent=1))


if __name__ == "__main__":
    main()

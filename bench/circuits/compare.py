"""Runs both solvers on every matrix, checks ours, and writes the report."""

import argparse
import json
import math
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path

import circuit
import matrices
import peer
import prices
import synthesis
import verdict


def ours(solver, content):
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder, "matrices.json"), Path(folder, "graphs.json")
        given.write_text(json.dumps(content))
        subprocess.run([solver, given, answer], check=True)
        return json.loads(answer.read_text())["cases"]


def unread(case):
    """Inputs that are always zero: a graph may leave them out, so their coefficients are not looked at."""
    return [number for number, (low, high, _) in enumerate(matrices.inputs(case)) if (low, high) == (0, 0)]


def check_coefficients(case, graph, name):
    """Of a graph, from the record of it alone; not those of `unread` inputs."""
    rows, columns = case["shape"]
    read = set(range(rows)) - set(unread(case))
    scale = Fraction(2) ** -case.get("fraction_bits", 0)
    found = prices.coefficients(graph["adders"], graph["outputs"], rows)
    for column in range(columns):
        for number in sorted(read):
            expected = case["kernel"][number * columns + column] * scale
            if found[column][number] != expected:
                raise SystemExit(f"{name}: entry ({number}, {column}) is wrong")


def check(case, row):
    """Our graph's coefficients and price."""
    graph, ranges = row["graph"], matrices.inputs(case)
    check_coefficients(case, graph, row["name"])
    if prices.price(graph["adders"], ranges) != row["cost"]:
        raise SystemExit(f"{row['name']}: the price is wrong")


def synthesise(case, graphs):
    """LUTs of each graph."""
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for graph in graphs:
            path = Path(folder, "graph.v")
            path.write_text(circuit.verilog(graph, matrices.inputs(case)))
            found.append(synthesis.count(path, "graph"))
    return found


def wanted(case, most, seen):
    """The first case of each kind that is small enough."""
    key = tuple(str(case.get(name)) for name in ("shape", "weight_bits", "sparsity", "layer"))
    rows, columns = case["shape"]
    if rows * columns > most or key in seen:
        return False
    seen.add(key)
    return True


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
    parser.add_argument("--no-synthesis", action="store_true")
    parser.add_argument("--largest", type=int, default=512)
    arguments = parser.parse_args()

    files = matrices.read(arguments.matrices) if arguments.matrices else matrices.made()
    rows, networks, seen = [], [], set()
    for file, content in files.items():
        answers = ours(arguments.solver, content)
        for (name, case), row in zip(matrices.cases(content), answers, strict=True):
            assert name == row["name"]
            check(case, row)
            theirs = peer.run(case)
            check_coefficients(case, theirs["graph"], f"da4ml {name}")
            luts = {}
            if not arguments.no_synthesis and wanted(case, arguments.largest, seen):
                ours_measured, theirs_measured = synthesise(case, (row["graph"], theirs["graph"]))
                luts = {
                    "lut": ours_measured["lut"],
                    "lut_da4ml": theirs_measured["lut"],
                    "lut_ratio": ratio(ours_measured["lut"], theirs_measured["lut"]),
                    "synthesis_cpu_s": ours_measured["cpu_s"] + theirs_measured["cpu_s"],
                }
            recorded = case.get("da4ml", {}).get("cost")
            rows.append({
                "file": file,
                "name": name,
                "shape": "x".join(map(str, case["shape"])),
                "weight_bits": case.get("weight_bits"),
                "sparsity": case.get("sparsity"),
                "cost": row["cost"],
                "cost_da4ml": theirs["cost"],
                "cost_da4ml_repriced": float(theirs["cost_repriced"]),
                "cost_da4ml_differs": theirs["cost_repriced"] != theirs["cost"],
                "cost_da4ml_recorded": recorded,
                "unread_inputs": len(unread(case)),
                "cost_ratio": ratio(row["cost"], theirs["cost"]),
                "seconds": row["seconds"],
                "seconds_da4ml": theirs["seconds"],
                "time_ratio": ratio(row["seconds"], theirs["seconds"]),
                "adders": row["adders"],
                "adders_da4ml": theirs["adders"],
                "depth": row["depth"],
                "depth_da4ml": theirs["depth"],
                **luts,
                "kernel": case["kernel"],
                "fraction_bits": case.get("fraction_bits", 0),
                "inputs": matrices.inputs(case),
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

    measured = {"lut_engine": synthesis.version(), "lut_options": synthesis.OPTIONS}
    report = {
        "peer": "da4ml 0.6.0",
        "peer_options": peer.OPTIONS,
        **({} if arguments.no_synthesis else measured),
        "cost_unit": "bits of adder accumulators",
        "cost_ratio_geomean": mean([row["cost_ratio"] for row in rows]),
        "time_ratio_geomean": mean([row["time_ratio"] for row in rows]),
        "depth_ratio_geomean": mean([ratio(row["depth"], row["depth_da4ml"]) for row in rows]),
        "lut_ratio_geomean": mean([row.get("lut_ratio") for row in rows]),
        "lut_largest": arguments.largest,
        "lut_cases": sum("lut" in row for row in rows),
        "cost_ratio_by": {key: group(rows, key) for key in ("file", "weight_bits", "sparsity", "shape")},
        "seconds": sum(row["seconds"] for row in rows),
        "seconds_da4ml": sum(row["seconds_da4ml"] for row in rows),
        "networks": networks,
        "cases": rows,
    }
    Path(arguments.report).write_text(json.dumps(report) + "\n")
    print(json.dumps({key: report[key] for key in report if key != "cases"}, indent=1))
    if faults := verdict.of_prices(report):
        raise SystemExit("\n".join(faults))


if __name__ == "__main__":
    main()

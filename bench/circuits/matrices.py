"""Matrices to compare on: read from files, or made from a fixed seed."""

import json
import random
from pathlib import Path

import trained

SEED = 20261123
BYTE = [-128, 127, 1]


def made():
    """Random matrices of all sizes and widths, the same ones every time, and trained layers."""
    draw = random.Random(SEED)
    cases = []
    squares = [(size, size, 3) for size in (4, 8, 16)] + [(32, 32, 1), (16, 64, 1), (64, 32, 1)]
    for rows, columns, repeats in squares:
        for bits in (3, 4, 5, 6, 7, 8):
            for sparsity in (0.0, 0.75):
                for _ in range(repeats):
                    half = 1 << (bits - 1)
                    kernel = [
                        0 if draw.random() < sparsity else draw.randrange(-half, half)
                        for _ in range(rows * columns)
                    ]
                    cases.append({
                        "shape": [rows, columns],
                        "weight_bits": bits,
                        "sparsity": sparsity,
                        "kernel": kernel,
                        "input_interval": BYTE,
                    })
    return {"random": {"cases": cases}, "trained": trained.layers()}


def read(folder):
    """All files of a folder that hold matrices, by name."""
    files = {}
    for path in sorted(Path(folder).glob("*.json")):
        content = json.loads(path.read_text())
        if isinstance(content, dict) and (found := cases(content)) and "kernel" in found[0][1]:
            files[path.stem] = content
    if not files:
        raise SystemExit(f"{folder} holds no JSON file with `cases` or `networks`")
    return files


def cases(content):
    """(name, case) in the order in which the solver names them."""
    found = [(str(number), case) for number, case in enumerate(content.get("cases", []))]
    for network, layers in enumerate(content.get("networks", [])):
        found += [(f"{network}.{layer}", case) for layer, case in enumerate(layers.get("layers", []))]
    return found


def inputs(case):
    """The range of each input."""
    if "input_interval" in case:
        return [case["input_interval"]] * case["shape"][0]
    return case["input_intervals"]

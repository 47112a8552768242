"""Rows that every engine trains on: 199,680 to learn from and 20,480 to check, 16 features, 5 classes of a random network with noise."""

import sys
from pathlib import Path

import numpy as np

TRAIN, CHECK = 195 * 1024, 20 * 1024


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(7)
    x = draw.standard_normal((TRAIN + CHECK, 16)).astype(np.float32)
    hidden = draw.standard_normal((16, 24)).astype(np.float32) / 4
    out = draw.standard_normal((24, 5)).astype(np.float32)
    logits = np.maximum(x @ hidden + 0.3 * draw.standard_normal(24).astype(np.float32), 0) @ out * 1.5
    gumbel = -np.log(-np.log(draw.random((TRAIN + CHECK, 5)).astype(np.float32) * 0.999998 + 1e-6))
    y = np.argmax(logits + 0.5 * gumbel, 1).astype(np.uint8)
    for name, rows in (("tr", slice(TRAIN)), ("te", slice(TRAIN, None))):
        x[rows].tofile(folder / f"x{name}.f32")
        y[rows].tofile(folder / f"y{name}.u8")


main(Path(sys.argv[1]))

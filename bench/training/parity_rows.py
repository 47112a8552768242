"""Rows, starting weights of the accuracy comparison: python parity_rows.py JETS.npz FOLDER (`order.u32` of a seed is written by our own engine)."""

import sys
from pathlib import Path

import numpy as np

ROWS, SEEDS, SIZES = 100_000, 5, (16, 64, 32, 32, 5)


def main(jets: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = np.load(jets)
    learn = data["x_train"]
    mean, deviation = learn.mean(0), learn.std(0)
    for name, x, y in (("tr", learn[:ROWS], data["y_train"][:ROWS]), ("te", data["x_test"], data["y_test"])):
        ((x - mean) / deviation).astype(np.float32).tofile(folder / f"x{name}.f32")
        y.astype(np.uint8).tofile(folder / f"y{name}.u8")
    for seed in range(SEEDS):
        draw = np.random.default_rng(seed)
        kernels = [
            draw.uniform(-1, 1, (rows, columns)) * np.sqrt(3 / rows)  # lecun_uniform
            for rows, columns in zip(SIZES, SIZES[1:])
        ]
        np.concatenate([k.ravel() for k in kernels]).astype(np.float32).tofile(folder / f"kernels{seed}.f32")


main(sys.argv[1], Path(sys.argv[2]))

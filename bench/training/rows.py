"""Rows that every engine trains on: rows.py mlp FOLDER | conv FOLDER | trial FILE.npz

mlp: 199,680 rows to learn from and 20,480 to check, 16 features, 5 classes of a random network with noise. conv: Fashion-MNIST as Debian
ships it, 59,392 images to learn from (so that batches of 1024 and of 256 come out even) and 10,000 to check, pixels as fractions of 256.
trial: more rows of the first kind, 825,000 and 40,000: four fifths of the former are 660,000.
"""

import gzip
import sys
from pathlib import Path

import numpy as np

IMAGES = Path("/usr/share/datasets/fashion-mnist")


def made(train, check):
    """(x, y) of the rows to learn from, and of those to check."""
    draw = np.random.default_rng(7)
    x = draw.standard_normal((train + check, 16)).astype(np.float32)
    hidden = draw.standard_normal((16, 24)).astype(np.float32) / 4
    out = draw.standard_normal((24, 5)).astype(np.float32)
    logits = np.maximum(x @ hidden + 0.3 * draw.standard_normal(24).astype(np.float32), 0) @ out * 1.5
    gumbel = -np.log(-np.log(draw.random((train + check, 5)).astype(np.float32) * 0.999998 + 1e-6))
    y = np.argmax(logits + 0.5 * gumbel, 1).astype(np.uint8)
    return (x[:train], y[:train]), (x[train:], y[train:])


def images(train):
    """(x, y) of the first images to learn from, and of those to check."""

    def read(name, header):
        return np.frombuffer(gzip.decompress((IMAGES / name).read_bytes()), np.uint8, offset=header)

    def both(name, count):
        y = read(f"{name}-labels-idx1-ubyte.gz", 8)[:count]
        x = read(f"{name}-images-idx3-ubyte.gz", 16).reshape(-1, 28 * 28)[:count]
        return x.astype(np.float32) / 256, y

    return both("train", train), both("t10k", None)


def write(folder, sets):
    folder.mkdir(parents=True, exist_ok=True)
    for name, (x, y) in zip(("tr", "te"), sets, strict=True):
        x.tofile(folder / f"x{name}.f32")
        y.tofile(folder / f"y{name}.u8")


def main(what, path):
    if what == "mlp":
        write(path, made(195 * 1024, 20 * 1024))
    elif what == "conv":
        write(path, images(58 * 1024))
    else:
        (x, y), (x_test, y_test) = made(825_000, 40_000)
        np.savez(path, x_train=x, y_train=y, x_test=x_test, y_test=y_test)


main(sys.argv[1], Path(sys.argv[2]))

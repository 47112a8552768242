"""How an engine is driven: one warm-up epoch, then as many epochs as each line of standard input asks for.

Every answer is one line of JSON with the CPU seconds (all threads of the process) of each epoch.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np


def rows(folder):
    def read(name):
        y = np.fromfile(Path(folder) / f"y{name}.u8", np.uint8)
        return np.fromfile(Path(folder) / f"x{name}.f32", np.float32).reshape(len(y), -1), y

    return *read("tr"), *read("te")


def timed(epoch):
    before = time.process_time()
    epoch()
    return time.process_time() - before


def serve(epoch, accuracy, versions):
    """`epoch()` trains one epoch; `accuracy()` is the share of check rows that are right."""
    print(json.dumps({"first_epoch_s": timed(epoch), "versions": versions}), flush=True)
    for line in sys.stdin:
        print(json.dumps({"seconds": [timed(epoch) for _ in range(int(line))]}), flush=True)
    print(json.dumps({"accuracy": accuracy()}), flush=True)

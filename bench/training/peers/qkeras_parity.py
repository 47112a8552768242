"""QKeras 0.9 from given weights over given batches: python qkeras_parity.py FOLDER RESULT. Runs already in RESULT are kept."""

import json
import os
import sys
import time
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_USE_LEGACY_KERAS="1", CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")

import numpy as np
import qkeras
import tensorflow as tf
from qkeras import QActivation, QDense

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
keras = tf.keras
EPOCHS, BATCH, SIZES, SEEDS = 25, 1024, (16, 64, 32, 32, 5), 5
FORMATS = {"float": (None, None, "relu")}
for bits in (8, 6, 4):
    weights = f"quantized_bits({bits},0,alpha=1.0)"
    FORMATS[f"{bits}_bit"] = (weights, weights, f"quantized_relu({bits})")
for name in ("ternary", "binary"):
    FORMATS[name] = (f"{name}(alpha='auto_po2')", "quantized_bits(8,3,alpha=1.0)", "quantized_relu(4,2)")


def network(kernel, bias, activation, steps):
    first = hidden = keras.Input((SIZES[0],))
    for index, units in enumerate(SIZES[1:]):
        if kernel is None:
            hidden = keras.layers.Dense(units)(hidden)
        else:
            hidden = QDense(units, kernel_quantizer=kernel, bias_quantizer=bias)(hidden)
        if index < 3:
            hidden = (keras.layers.Activation if kernel is None else QActivation)(activation)(hidden)
    model = keras.Model(first, hidden)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, EPOCHS * steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, steps_per_execution=steps)
    model.optimizer.build(model.trainable_variables)
    return model


def starting(folder, seed):
    values, start = np.fromfile(folder / f"kernels{seed}.f32", np.float32), []
    for rows, columns in zip(SIZES, SIZES[1:]):
        start += [values[: rows * columns].reshape(rows, columns), np.zeros(columns, np.float32)]
        values = values[rows * columns :]
    return start


def main(folder, result):
    x = {name: np.fromfile(folder / f"x{name}.f32", np.float32).reshape(-1, SIZES[0]) for name in ("tr", "te")}
    y = {name: np.fromfile(folder / f"y{name}.u8", np.uint8).astype(np.int32) for name in ("tr", "te")}
    done = json.loads(result.read_text()) if result.exists() else {"runs": []}
    done["versions"] = {"tensorflow": tf.__version__, "qkeras": qkeras.__version__}
    known = {(run["format"], run["seed"]) for run in done["runs"]}
    models = {}
    for seed in range(SEEDS):
        orders = np.fromfile(folder / f"order{seed}.u32", np.uint32).reshape(EPOCHS, -1)
        for name, quantizers in FORMATS.items():
            if (name, seed) in known:
                continue
            before = time.process_time()
            if name not in models:
                models[name] = network(*quantizers, -(-orders.shape[1] // BATCH))
            model, losses = models[name], []
            model.set_weights(starting(folder, seed))
            for variable in model.optimizer.variables:
                # The moments and the step count; the rate comes from the count.
                variable.assign(tf.zeros_like(variable))
            for order in orders:
                rows = order.astype(np.int64)
                fitted = model.fit(x["tr"][rows], y["tr"][rows], batch_size=BATCH, shuffle=False, verbose=0)
                losses.append(fitted.history["loss"][0])
            right = model.predict(x["te"], batch_size=8192, verbose=0).argmax(1) == y["te"]
            run = {"format": name, "seed": seed, "accuracy": float(right.mean()), "losses": losses}
            done["runs"].append(run | {"cpu_s": time.process_time() - before})
            result.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
            print(f"qkeras {name} seed {seed}: {run['accuracy']:.4f}", flush=True)


main(Path(sys.argv[1]), Path(sys.argv[2]))

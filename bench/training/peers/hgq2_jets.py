"""HGQ2's own way to a front: 16-64-32-32-5 on the jets, one ramp of beta, a point an epoch, chosen by validation rows.

    python hgq2_jets.py JETS SEED REPORT [EPOCHS]

The settings are those of HGQ2's small jet tagger. Nine tenths of the train rows train, the others choose; test accuracies are only reported.
"""

import json
import os
import sys
import time

os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu", XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import hgq
import jax
import keras
import numpy as np
from hgq.config import QuantizerConfig, QuantizerConfigScope
from hgq.layers import QDense
from hgq.regularizers import MonoL1
from hgq.utils.sugar import BetaScheduler, FreeEBOPs

BATCH, FIRST_BETA, LAST_BETA = 2048, 1e-6, 3e-4


def rows(path, seed):
    data = np.load(path)
    mean, std = data["x_train"].mean(0), data["x_train"].std(0)
    x, test = (((data[key] - mean) / std).astype("f4") for key in ("x_train", "x_test"))
    order = np.random.default_rng(seed).permutation(len(x))
    train, validation = order[len(x) // 10 :], order[: len(x) // 10]
    y = data["y_train"]
    return (x[train], keras.utils.to_categorical(y[train], 5)), (x[validation], y[validation]), (test, data["y_test"])


def network():
    places = QuantizerConfigScope(place="all", k0=1, b0=5, i0=1, default_q_type="kbi", overflow_mode="sat_sym")
    lanes = QuantizerConfigScope(place="datalane", k0=0, default_q_type="kif", overflow_mode="wrap", f0=5, i0=3)
    with places, lanes:
        first = QuantizerConfig(place="datalane", k0=1)
        last = QuantizerConfig(place="datalane", k0=1, fr=MonoL1(1e-3))
        return keras.models.Sequential([
            QDense(64, beta0=FIRST_BETA, iq_conf=first, activation="relu"),
            QDense(32, beta0=FIRST_BETA, activation="relu"),
            QDense(32, beta0=FIRST_BETA, activation="relu"),
            QDense(5, beta0=FIRST_BETA, enable_oq=True, oq_conf=last),
        ])  # fmt: skip


def main(path, seed, report, epochs):
    keras.utils.set_random_seed(seed)
    train, validation, test = rows(path, seed)
    start = time.process_time()
    model = network()
    steps = len(train[0]) // BATCH * max(1, epochs // 6)
    rate = keras.optimizers.schedules.CosineDecayRestarts(5e-3, first_decay_steps=steps, t_mul=1.0, m_mul=0.97, alpha=1e-3)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"], jit_compile=True, steps_per_execution=8)
    points = []
    # Test rows are no part of what it costs.
    aside = 0.0

    def accuracy(of):
        return float((model.predict(of[0], batch_size=20000, verbose=0).argmax(1) == of[1]).mean())

    class Points(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            nonlocal aside
            point = {"epoch": epoch + 1, "ebops": float(logs["ebops"]), "accuracy_validation": accuracy(validation)}
            before = time.process_time()
            point["accuracy_test"] = accuracy(test)
            aside += time.process_time() - before
            points.append(point)

    def beta(epoch):
        return float(FIRST_BETA * (LAST_BETA / FIRST_BETA) ** max(0, (epoch - epochs * 0.1) / (epochs * 0.9)))

    callbacks = [FreeEBOPs(), BetaScheduler(beta), Points(), keras.callbacks.TerminateOnNaN()]
    model.fit(*train, epochs=epochs, batch_size=BATCH, verbose=0, callbacks=callbacks)
    run = {
        "seed": seed, "epochs": epochs, "batch": BATCH, "cpu_s": time.process_time() - start - aside, "points": points,
        "versions": {"hgq": hgq.__version__, "keras": keras.__version__, "jax": jax.__version__, "numpy": np.__version__},
    }  # fmt: skip
    with open(report, "w", encoding="utf-8") as file:
        json.dump(run, file)


main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else 240)

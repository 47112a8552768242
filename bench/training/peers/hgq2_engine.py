"""HGQ2 on Keras 3 and JAX, compiled; bit widths are trained per weight, so a step does more than ours."""

import os
import sys

os.environ.update(
    KERAS_BACKEND="jax",
    JAX_PLATFORMS="cpu",
    XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    OMP_NUM_THREADS="1",
)

from importlib.metadata import version

import jax
import keras
import numpy as np
from hgq.config import LayerConfigScope, QuantizerConfigScope
from hgq.layers import QDense
from turns import rows, serve

x, y, x_check, y_check = rows(sys.argv[2])
y = y.astype(np.int32)
keras.utils.set_random_seed(1)
with (
    QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
    QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
    LayerConfigScope(enable_ebops=True, beta0=1e-6),
):
    layers = [QDense(64, activation="relu"), QDense(32, activation="relu"), QDense(32, activation="relu"), QDense(5)]
    model = keras.Sequential([keras.Input((16,)), *layers])
model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=True)
serve(
    lambda: model.fit(x, y, batch_size=1024, epochs=1, verbose=0),
    lambda: float((model.predict(x_check, batch_size=4096, verbose=0).argmax(1) == y_check).mean()),
    {"HGQ2": version("HGQ2"), "keras": keras.__version__, "jax": jax.__version__},
)

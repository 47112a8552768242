"""Three steps of Keras' optimisers from equal weights over equal batches: python three_steps.py three_steps.json."""

import json
import os
import sys
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_USE_LEGACY_KERAS="1", CUDA_VISIBLE_DEVICES="", TF_ENABLE_ONEDNN_OPTS="0")

import numpy as np
import qkeras
import tensorflow as tf
import tf_keras
from qkeras import QActivation, QDense

keras = tf.keras
ROWS, STEPS, SIZES = 8, 3, (4, 6, 5)
OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "sgd": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
}
LOSSES = {
    "softmax_cross_entropy": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "binary_cross_entropy": keras.losses.BinaryCrossentropy(from_logits=True),
    "mean_squared_error": keras.losses.MeanSquaredError(),
    "mean_absolute_error": keras.losses.MeanAbsoluteError(),
}
SIX = "quantized_bits(6,1,alpha=1.0)"
# Name, kernel, bias, activation, loss, outputs, optimiser.
CASES = [
    ("float", None, None, "relu", "softmax_cross_entropy", 3, "adam"),
    ("float, binary", None, None, "relu", "binary_cross_entropy", 1, "adam"),
    ("float, several yes or no", None, None, "relu", "binary_cross_entropy", 3, "adam"),
    ("float, squares", None, None, "relu", "mean_squared_error", 2, "adam"),
    ("float, absolutes", None, None, "relu", "mean_absolute_error", 2, "adam"),
    ("6 bits", SIX, SIX, "quantized_relu(6,2)", "softmax_cross_entropy", 3, "adam"),
    ("6 bits, squares", SIX, SIX, "quantized_relu(6,2)", "mean_squared_error", 2, "adam"),
    ("6 bits, decay", SIX, SIX, "quantized_relu(6,2)", "softmax_cross_entropy", 3, "adamw"),
    ("6 bits, descent", SIX, SIX, "quantized_relu(6,2)", "softmax_cross_entropy", 3, "sgd"),
    ("4 bits, found scale", "quantized_bits(4,0,1,alpha='auto_po2')", SIX, "quantized_relu(4,1)", "softmax_cross_entropy", 3, "adam"),
    ("ternary", "ternary(alpha='auto_po2')", SIX, "quantized_relu(4,1)", "softmax_cross_entropy", 3, "adam"),
    ("binary", "binary(alpha='auto_po2')", SIX, "quantized_relu(4,1)", "softmax_cross_entropy", 3, "adam"),
    ("powers of two", "quantized_po2(4)", SIX, "quantized_relu_po2(4)", "softmax_cross_entropy", 3, "adam"),
]


def network(kernel, bias, activation, outputs):
    first = hidden = keras.Input((SIZES[0],))
    for index, units in enumerate((*SIZES[1:], outputs)):
        if kernel is None:
            hidden = keras.layers.Dense(units)(hidden)
        else:
            hidden = QDense(units, kernel_quantizer=kernel, bias_quantizer=bias)(hidden)
        if index < len(SIZES) - 1:
            hidden = (keras.layers.Activation if kernel is None else QActivation)(activation)(hidden)
    return keras.Model(first, hidden)


def targets(random, loss, outputs):
    rows = ROWS * STEPS
    if loss == "softmax_cross_entropy":
        return random.integers(0, outputs, rows)
    if loss == "binary_cross_entropy":
        return random.integers(0, 2, (rows, outputs)).astype(np.float32)
    # Multiples of 1/64 away from the outputs, so that no row's slope hangs on a rounding.
    return (random.integers(-128, 128, (rows, outputs)) / 64).astype(np.float32)


def numbers(arrays):
    # As short as tells an f32 from its neighbours.
    return [[float(str(value)) for value in np.asarray(array, np.float32).ravel()] for array in arrays]


def three_steps(model, rule, loss, x, y):
    """Loss and weights after each step, and the smallest size of a gradient that is not 0."""
    steps, smallest = [], float("inf")
    for step in range(STEPS):
        rows = slice(step * ROWS, (step + 1) * ROWS)
        with tf.GradientTape() as tape:
            value = loss(y[rows], model(x[rows], training=True))
        gradients = tape.gradient(value, model.trainable_variables)
        rule.apply_gradients(zip(gradients, model.trainable_variables))
        sizes = np.abs(np.concatenate([np.ravel(gradient) for gradient in gradients]))
        smallest = min(smallest, sizes[sizes > 0].min())
        steps.append({"loss": numbers([value])[0][0], "weights": numbers(model.trainable_variables)})
    return steps, smallest


def run(index, name, kernel, bias, activation, loss, outputs, optimizer):
    random = np.random.default_rng(index)
    model = network(kernel, bias, activation, outputs)
    start = [random.uniform(-0.9, 0.9, w.shape).astype(np.float32) for w in model.trainable_variables]
    model.set_weights(start)
    x = (random.integers(-192, 192, (ROWS * STEPS, SIZES[0])) / 64).astype(np.float32)
    y = targets(random, loss, outputs)
    steps, _ = three_steps(model, OPTIMIZERS[optimizer](), LOSSES[loss], x, y)
    return {
        "name": name, "kernel": kernel or "float", "bias": bias or "float", "activation": activation, "loss": loss,
        "outputs": outputs, "optimizer": optimizer, "x": numbers([x])[0], "y": numbers([y])[0], "start": numbers(start), "steps": steps,
    }  # fmt: skip


def main(result):
    versions = {"tensorflow": tf.__version__, "tf-keras": tf_keras.__version__, "qkeras": qkeras.__version__, "numpy": np.__version__}
    cases = [json.dumps(run(index, *case)) for index, case in enumerate(CASES)]
    head = f'{{"versions": {json.dumps(versions)}, "rows": {ROWS}, "sizes": {json.dumps(SIZES)},\n"cases": [\n'
    result.write_text(head + ",\n".join(cases) + "\n]}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

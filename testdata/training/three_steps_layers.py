"""Three steps of Adam through every kind of layer: python three_steps_layers.py three_steps_layers.json.

A case is a candidate in Bitfront's own JSON; Keras' layers are made from it."""

import json
import sys
from pathlib import Path

# First: it says how TensorFlow computes before that is read.
from three_steps import LOSSES, OPTIMIZERS, ROWS, SIX, STEPS, keras, numbers, three_steps

import numpy as np
import qkeras
import tensorflow as tf
import tf_keras

CLASSES, CLEAR = 3, 1e-3


def window(size, strides=None, dilation=None, padding="valid"):
    ones = [1] * len(size)
    return {"size": size, "strides": strides or ones, "dilation": dilation or ones, "padding": padding}


def conv(filters, bits=None, bias=True, fold=None, **of):
    return {"kind": "conv", "filters": filters, "window": window(**of), "kernel": bits or "float",
            "bias": (bits or "float") if bias else None, "fold": fold}  # fmt: skip


def depthwise(multiplier, bits=None, **of):
    return {"kind": "depthwise_conv", "multiplier": multiplier, "window": window(**of), "kernel": bits or "float",
            "bias": bits or "float", "fold": None}  # fmt: skip


def separable(filters, multiplier, bits=None, **of):
    return {"kind": "separable_conv", "filters": filters, "multiplier": multiplier, "window": window(**of),
            "depthwise_kernel": bits or "float", "pointwise_kernel": bits or "float", "bias": bits or "float"}  # fmt: skip


def dense(units, bits=None, bias=True, fold=None):
    return {"kind": "dense", "units": units, "kernel": bits or "float", "bias": (bits or "float") if bias else None, "fold": fold}


def relu(quantizer="relu"):
    return {"kind": "activation", "quantizer": quantizer}


def pool(kind, **of):
    of.setdefault("strides", of["size"])
    made = {"kind": f"{kind}_pool", "window": window(**of)}
    return made | ({"reciprocal_bits": 24} if kind == "average" else {})


FLAT, MEAN = {"kind": "flatten"}, {"kind": "global_average_pool", "reciprocal_bits": 24}
BATCH_NORM = {"kind": "batch_norm", "epsilon": 0.001, "momentum": 0.99, "scale_bits": 1, "offset_bits": 12}
FOLD = {"epsilon": 0.001, "momentum": 0.99}
RELU6 = "quantized_relu(6,2)"

# Name, shape of the input, operations (each `l0`, `l1`, ...); a pair is an operation and the names it reads.
CASES = [
    ("convolution", [4, 4, 2], [conv(3, size=[3, 2]), relu(), FLAT, dense(3)]),
    ("convolution, borders and strides", [5, 4, 2], [conv(3, size=[3, 3], strides=[2, 2], padding="same"), relu(), FLAT, dense(3)]),
    ("convolution, dilated", [5, 5, 1], [conv(3, size=[2, 2], dilation=[2, 3]), relu(), FLAT, dense(3)]),
    ("convolution in one dimension", [9, 2], [conv(4, size=[3], strides=[2], padding="same"), relu(), FLAT, dense(3)]),
    ("two convolutions", [5, 5, 1], [conv(2, size=[3, 3]), relu(), conv(3, size=[2, 2]), relu(), FLAT, dense(3)]),
    ("6 bits, two convolutions", [4, 4, 1],
     [conv(2, SIX, size=[3, 3], padding="same"), relu(RELU6), conv(3, SIX, size=[2, 2], strides=[2, 2]), relu(RELU6), FLAT, dense(3, SIX)]),
    ("depthwise", [4, 4, 2], [depthwise(2, size=[3, 3]), relu(), FLAT, dense(3)]),
    ("6 bits, depthwise", [4, 4, 2], [depthwise(1, SIX, size=[3, 3], padding="same"), relu(RELU6), FLAT, dense(3, SIX)]),
    ("separable", [4, 4, 2], [separable(3, 2, size=[3, 3]), relu(), FLAT, dense(3)]),
    ("6 bits, separable", [4, 4, 2], [separable(3, 1, SIX, size=[2, 2]), relu(RELU6), FLAT, dense(3, SIX)]),
    ("largest of windows", [4, 4, 1], [conv(3, size=[3, 3], padding="same"), relu(), pool("max", size=[2, 2]), FLAT, dense(3)]),
    ("largest of windows that overlap", [5, 5, 1],
     [conv(3, size=[2, 2]), pool("max", size=[3, 3], strides=[2, 2], padding="same"), relu(), FLAT, dense(3)]),
    ("means of windows", [4, 4, 1], [conv(3, size=[3, 3], padding="same"), relu(), pool("average", size=[2, 2]), FLAT, dense(3)]),
    ("means at borders", [3, 3, 1],
     [conv(3, size=[3, 3], padding="same"), relu(), pool("average", size=[2, 2], padding="same"), FLAT, dense(3)]),
    ("mean of the image", [5, 5, 1], [conv(4, size=[3, 3]), relu(), MEAN, dense(3)]),
    ("normalisation", [4], [dense(6, bias=False), BATCH_NORM, relu(), dense(5), relu(), dense(3)]),
    ("normalisation of images", [4, 4, 1], [conv(3, bias=False, size=[3, 3]), BATCH_NORM, relu(), FLAT, dense(3)]),
    ("6 bits, normalisation", [4], [dense(6, SIX, bias=False), BATCH_NORM, relu(RELU6), dense(3, SIX)]),
    ("sum", [3, 3, 2], [conv(2, size=[3, 3], padding="same"), relu(), ({"kind": "add"}, ["l1", "l0"]), relu(), FLAT, dense(3)]),
    ("side by side", [3, 3, 2],
     [conv(2, size=[3, 3], padding="same"), relu(), ({"kind": "concatenate"}, ["l1", "l0"]), FLAT, dense(3)]),
    ("zeros around", [3, 3, 1], [{"kind": "zero_padding", "border": [[1, 0], [2, 1]]}, conv(3, size=[2, 2]), relu(), FLAT, dense(3)]),
]  # fmt: skip


def layer(of):
    kind, quantized = of["kind"], any(str(value).startswith("quantized") for value in of.values())
    layers = keras.layers
    if kind in ("conv", "depthwise_conv", "separable_conv", "max_pool", "average_pool"):
        axes = len(of["window"]["size"])
        options = {"strides": of["window"]["strides"], "padding": of["window"]["padding"]}
        if kind.endswith("pool"):
            name = ("MaxPooling" if kind == "max_pool" else "AveragePooling") + f"{axes}D"
            return getattr(layers, name)(of["window"]["size"], **options)
        options |= {"dilation_rate": of["window"]["dilation"], "use_bias": of["bias"] is not None}
        size = of["window"]["size"]
        bits = {"bias_quantizer": of["bias"]} if quantized else {}
        if kind == "conv":
            bits |= {"kernel_quantizer": of["kernel"]} if quantized else {}
            made = getattr(qkeras if quantized else layers, ("QConv" if quantized else "Conv") + f"{axes}D")
            return made(of["filters"], size, **options, **bits)
        options["depth_multiplier"] = of["multiplier"]
        if kind == "depthwise_conv":
            bits |= {"depthwise_quantizer": of["kernel"]} if quantized else {}
            return (qkeras.QDepthwiseConv2D if quantized else layers.DepthwiseConv2D)(size, **options, **bits)
        if quantized:
            bits |= {"depthwise_quantizer": of["depthwise_kernel"], "pointwise_quantizer": of["pointwise_kernel"]}
        return (qkeras.QSeparableConv2D if quantized else layers.SeparableConv2D)(of["filters"], size, **options, **bits)
    if kind == "dense":
        bias = of["bias"] is not None
        if quantized:
            return qkeras.QDense(of["units"], use_bias=bias, kernel_quantizer=of["kernel"], bias_quantizer=of["bias"])
        return layers.Dense(of["units"], use_bias=bias)
    if kind == "activation":
        return (qkeras.QActivation if quantized else layers.Activation)(of["quantizer"])
    if kind == "batch_norm":
        return layers.BatchNormalization(epsilon=of["epsilon"], momentum=of["momentum"])
    if kind == "zero_padding":
        return layers.ZeroPadding2D(of["border"])
    return {"flatten": layers.Flatten, "global_average_pool": layers.GlobalAveragePooling2D, "add": layers.Add,
            "concatenate": layers.Concatenate}[kind]()  # fmt: skip


def network(shape, operations):
    last = first = keras.Input(shape)
    values, stored = {}, []
    for index, operation in enumerate(operations):
        of, reads = operation if isinstance(operation, tuple) else (operation, [])
        name = f"l{index}"
        last = values[name] = layer(of)([values[read] for read in reads] if reads else last)
        stored.append({"name": name, "operation": of} | ({"inputs": reads} if reads else {}))
    candidate = {"input_shape": shape, "input_quantizer": "float", "layers": stored, "head": {"kind": "softmax"}}
    return keras.Model(first, last), candidate


def run(index, name, shape, operations):
    for seed in range(100_000 * index, 100_000 * (index + 1)):
        case, smallest = drawn(seed, name, shape, operations)
        # Adam divides a gradient by its own size: of one near zero the sum's last bit is a visible part of a step.
        if smallest > CLEAR:
            return case
    raise SystemExit(f"{name}: every draw has a gradient near zero")


def drawn(seed, name, shape, operations):
    """The case, and its gradients' smallest size (0, of dead units, left out)."""
    random = np.random.default_rng(seed)
    model, candidate = network(shape, operations)
    # Sums of many weights stay as small as those of few.
    limits = [min(0.9, 2 / np.sqrt(np.prod(w.shape[:-1]))) for w in model.trainable_variables]
    start = [random.uniform(-l, l, w.shape).astype(np.float32) for l, w in zip(limits, model.trainable_variables)]
    for variable, value in zip(model.trainable_variables, start):
        variable.assign(value)
    x = (random.integers(-64, 65, (ROWS * STEPS, *shape)) / 64).astype(np.float32)
    y = random.integers(0, CLASSES, ROWS * STEPS)
    steps, smallest = three_steps(model, OPTIMIZERS["adam"](), LOSSES["softmax_cross_entropy"], x, y)
    case = {"name": name, "candidate": candidate, "x": numbers([x])[0], "y": numbers([y])[0], "start": numbers(start), "steps": steps}
    return case, smallest


def main(result):
    versions = {"tensorflow": tf.__version__, "tf-keras": tf_keras.__version__, "qkeras": qkeras.__version__, "numpy": np.__version__}
    cases = [json.dumps(run(index, *case)) for index, case in enumerate(CASES)]
    head = f'{{"versions": {json.dumps(versions)}, "rows": {ROWS},\n"cases": [\n'
    result.write_text(head + ",\n".join(cases) + "\n]}\n", encoding="utf-8")


main(Path(sys.argv[1]))

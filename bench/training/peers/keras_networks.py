"""The networks of ../networks as QKeras users write them: 6-bit weights, biases and activations."""

import tensorflow as tf
from qkeras import QActivation, QConv2D, QDense, quantized_bits, quantized_relu

keras = tf.keras


def six_bits():
    return quantized_bits(6, 0, alpha=1)


def dense(values, units):
    return QDense(units, kernel_quantizer=six_bits(), bias_quantizer=six_bits())(values)


def conv(values, filters):
    quantizers = {"kernel_quantizer": six_bits(), "bias_quantizer": six_bits()}
    return QConv2D(filters, 3, strides=2, padding="same", **quantizers)(values)


def relu(values):
    return QActivation(quantized_relu(6))(values)


def mlp():
    first = values = keras.Input((16,))
    for units in (64, 32, 32):
        values = relu(dense(values, units))
    return keras.Model(first, keras.layers.Activation("softmax")(dense(values, 5)))


def convolutional():
    first = values = keras.Input((28, 28, 1))
    for filters in (8, 16, 16):
        values = relu(conv(values, filters))
    values = relu(dense(keras.layers.Flatten()(values), 32))
    return keras.Model(first, keras.layers.Activation("softmax")(dense(values, 10)))


def compiled(network, tuned, steps_per_execution):
    """As AutoQKeras compiles, or tuned: XLA, many steps a call, no metrics."""
    model = {"mlp": mlp, "conv": convolutional}[network]()
    settings = {"jit_compile": True, "steps_per_execution": steps_per_execution} if tuned else {"metrics": ["accuracy"]}
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(), **settings)
    return model

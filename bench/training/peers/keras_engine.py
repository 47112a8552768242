"""QKeras 0.9 by `model.fit`: as AutoQKeras calls it, or tuned (XLA, many steps a call, no metrics)."""

import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_USE_LEGACY_KERAS="1", CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")

import numpy as np
import qkeras
import tensorflow as tf
from qkeras import QActivation, QDense, quantized_bits, quantized_relu
from turns import rows, serve

mode, folder = sys.argv[1:]
tuned = mode == "qkeras_tuned"
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.random.set_seed(1)
x, y, x_check, y_check = rows(folder)
y = y.astype(np.int32)


def six_bits():
    return quantized_bits(6, 0, alpha=1)


keras = tf.keras
first = hidden = keras.Input((16,))
for units in (64, 32, 32):
    hidden = QDense(units, kernel_quantizer=six_bits(), bias_quantizer=six_bits())(hidden)
    hidden = QActivation(quantized_relu(6))(hidden)
hidden = QDense(5, kernel_quantizer=six_bits(), bias_quantizer=six_bits())(hidden)
model = keras.Model(first, keras.layers.Activation("softmax")(hidden))
settings = {"jit_compile": True, "steps_per_execution": 39} if tuned else {"metrics": ["accuracy"]}
model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(), **settings)
serve(
    lambda: model.fit(x, y, batch_size=1024, epochs=1, verbose=0),
    lambda: float((model.predict(x_check, batch_size=4096, verbose=0).argmax(1) == y_check).mean()),
    {"tensorflow": tf.__version__, "qkeras": qkeras.__version__},
)

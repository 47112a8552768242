"""QKeras 0.9 by `model.fit`: as AutoQKeras calls it, or tuned: keras_engine.py qkeras|qkeras_tuned NETWORK ROWS BATCH."""

import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_USE_LEGACY_KERAS="1", CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")

import numpy as np
import qkeras
import tensorflow as tf
from keras_networks import compiled
from turns import rows, serve

mode, network, folder, batch = sys.argv[1:]
batch = int(batch)
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.random.set_seed(1)
x, y, x_check, y_check = rows(folder)
y = y.astype(np.int32)
steps = len(y) // batch
# A divisor of the steps of an epoch near 39, so that no call is shorter than the others.
together = max(count for count in range(1, 60) if steps % count == 0)
model = compiled(network, mode == "qkeras_tuned", together)
shape = (-1, *model.input_shape[1:])
x, x_check = x.reshape(shape), x_check.reshape(shape)
serve(
    lambda: model.fit(x, y, batch_size=batch, epochs=1, verbose=0),
    lambda: float((model.predict(x_check, batch_size=4096, verbose=0).argmax(1) == y_check).mean()),
    {"tensorflow": tf.__version__, "qkeras": qkeras.__version__},
)

"""A whole trial in QKeras 0.9, as a search runs it in a process of its own: keras_trial.py qkeras|qkeras_tuned DATA.npz EPOCHS.

Reads the rows, puts a fifth of them aside for validation, standardises, trains with validation after every epoch as AutoQKeras
does, and scores the test rows. Prints JSON.
"""

import json
import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_USE_LEGACY_KERAS="1", CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")

import numpy as np
import tensorflow as tf
from keras_networks import compiled

mode, path, epochs = sys.argv[1:]
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.random.set_seed(1)
with np.load(path) as data:
    x, y = data["x_train"], data["y_train"].astype(np.int32)
    x_test, y_test = data["x_test"], data["y_test"].astype(np.int32)
order = np.random.default_rng(1).permutation(len(y))
train, validation = order[: len(y) * 4 // 5], order[len(y) * 4 // 5 :]
mean, deviation = x[train].mean(0), x[train].std(0)
x, x_test = (x - mean) / deviation, (x_test - mean) / deviation
model = compiled("mlp", mode == "qkeras_tuned", 39)
checks = (x[validation], y[validation])
model.fit(x[train], y[train], batch_size=1024, epochs=int(epochs), validation_data=checks, validation_batch_size=4096, verbose=0)
right = model.predict(x_test, batch_size=4096, verbose=0).argmax(1) == y_test
print(json.dumps({"train_rows": len(train), "test_accuracy": float(right.mean())}))

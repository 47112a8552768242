"""Loads the QKeras model beside this file; as a script, prints its summary.

    pip install tensorflow==2.15.1 qkeras==0.9.0 tensorflow-model-optimization==0.7.5 pyparsing==3.1.4
    python load.py

Python 3.9 to 3.11. (Later releases of tensorflow-model-optimization bring a second Keras, and models no longer load.)
Inputs and logits are floats; inputs are standardised as the search did it, images are channels-last.
"""
import os

FOLDER = os.path.dirname(os.path.abspath(__file__))


def load(folder=FOLDER):
    from qkeras.utils import quantized_model_from_json

    with open(os.path.join(folder, "network.qkeras.json")) as file:
        model = quantized_model_from_json(file.read())
    # By name: Keras may order the layers of a branching graph otherwise.
    model.load_weights(os.path.join(folder, "weights.h5"), by_name=True)
    return model


if __name__ == "__main__":
    load().summary()

"""Layers that the bench trains itself: small jet networks with quantized kernels, dense and pruned.

Plain gradient descent with the straight-through estimator, from a fixed seed; the kernels are codes of `bits`
bits, activations have six. Half way, a pruned network loses the smallest three quarters of each kernel for good.
"""

from pathlib import Path

import numpy as np

SEED = 20261124
DATA = Path(__file__).parents[2] / "testdata/jets/jets_small.npz"
WIDTHS = [16, 32, 16, 5]
EPOCHS, BATCH, RATE = 4, 256, 0.05
ACTIVATION_STEP = 2.0**-4


def network(bits, pruned):
    """Kernel codes of each layer, and the accuracy on the test rows."""
    data = np.load(DATA)
    step_in = 2.0**-5
    rows = {}
    for part in ("train", "test"):
        scaled = (data[f"x_{part}"] - data["x_train"].mean(0)) / data["x_train"].std(0)
        rows[part] = (np.clip(np.rint(scaled / step_in), -128, 127) * step_in).astype(np.float64)
    labels = np.eye(5)[data["y_train"]]
    draw = np.random.default_rng([SEED, bits, pruned])
    shapes = list(zip(WIDTHS, WIDTHS[1:]))
    kernels = [np.clip(draw.normal(0, 1 / np.sqrt(a), (a, b)), -1, 1) for a, b in shapes]
    biases = [np.zeros(b) for _, b in shapes]
    masks = [np.ones(shape) for shape in shapes]
    moments = [(np.zeros(k.shape), np.zeros(k.shape)) for k in kernels]
    half = 2.0 ** (bits - 1)

    def codes(kernel, mask):
        return np.clip(np.rint(kernel * half), -half, half - 1) * mask

    def forward(x, keep=None):
        for layer, (kernel, mask, bias) in enumerate(zip(kernels, masks, biases)):
            if keep is not None:
                keep.append(x)
            x = x @ (codes(kernel, mask) / half) + bias
            if layer + 1 < len(kernels):
                x = np.clip(np.rint(x / ACTIVATION_STEP), 0, 63) * ACTIVATION_STEP
        return x

    steps = 0
    for epoch in range(EPOCHS):
        if pruned and epoch == EPOCHS // 2:
            for mask, kernel in zip(masks, kernels):
                mask[np.abs(kernel) < np.quantile(np.abs(kernel), 0.75)] = 0
        order = draw.permutation(len(labels))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            batch = order[start : start + BATCH]
            inputs = []
            logits = forward(rows["train"][batch], inputs)
            shares = np.exp(logits - logits.max(1, keepdims=True))
            shares /= shares.sum(1, keepdims=True)
            gradient = (shares - labels[batch]) / BATCH
            steps += 1
            for layer in reversed(range(len(kernels))):
                slope = (inputs[layer].T @ gradient) * masks[layer]
                back = gradient @ (codes(kernels[layer], masks[layer]) / half).T
                if layer:
                    below = inputs[layer]
                    back = back * ((below > 0) & (below < 63 * ACTIVATION_STEP))
                biases[layer] -= RATE * gradient.sum(0)
                # Adam, so that narrow kernels move at all.
                first, second = moments[layer]
                first += 0.1 * (slope - first)
                second += 0.001 * (slope**2 - second)
                size = np.sqrt(second / (1 - 0.999**steps)) + 1e-8
                kernels[layer] = np.clip(kernels[layer] - 0.003 * (first / (1 - 0.9**steps)) / size, -1, 1)
                gradient = back
    right = (forward(rows["test"]).argmax(1) == data["y_test"]).mean()
    return [codes(*pair).astype(int) for pair in zip(kernels, masks)], float(right)


def layers():
    """Every layer as a case; its inputs are signed bytes, then six-bit activations."""
    cases = []
    for bits in range(2, 9):
        for pruned in (False, True):
            kernels, accuracy = network(bits, pruned)
            for layer, kernel in enumerate(kernels):
                cases.append({
                    "shape": list(kernel.shape),
                    "weight_bits": bits,
                    "sparsity": "pruned" if pruned else "dense",
                    "layer": layer,
                    "accuracy": round(accuracy, 4),
                    "kernel": kernel.flatten().tolist(),
                    "input_interval": [0, 63, 1] if layer else [-128, 127, 1],
                })
    return {"cases": cases}

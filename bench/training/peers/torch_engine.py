"""PyTorch with straight-through quantizers written by hand as autograd functions, fused Adam."""

import os
import sys

os.environ["OMP_NUM_THREADS"] = "1"

import torch
import torch.nn.functional as F
from torch import nn
from turns import rows, serve

torch.set_num_threads(1)
torch.manual_seed(1)
x, y, x_check, y_check = rows(sys.argv[2])
x, y = torch.from_numpy(x), torch.from_numpy(y).long()
x_check, y_check = torch.from_numpy(x_check), torch.from_numpy(y_check).long()


class Weights6(torch.autograd.Function):
    """`quantized_bits(6,0,alpha=1)`."""

    @staticmethod
    def forward(_, w):
        return torch.round(w * 32).clamp_(-32, 31).mul_(1 / 32)

    @staticmethod
    def backward(_, gradient):
        return gradient


class Relu6(torch.autograd.Function):
    """`quantized_relu(6)`."""

    @staticmethod
    def forward(context, z):
        context.save_for_backward(z)
        return torch.round(z * 64).clamp_(0, 63).mul_(1 / 64)

    @staticmethod
    def backward(context, gradient):
        (z,) = context.saved_tensors
        return gradient * ((z > 0) & (z <= 63 / 64))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        sizes = (16, 64, 32, 32, 5)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))

    def forward(self, h):
        for index, layer in enumerate(self.layers):
            h = F.linear(h, Weights6.apply(layer.weight), Weights6.apply(layer.bias))
            if index < 3:
                h = Relu6.apply(h)
        return h


network = Network()
adam = torch.optim.Adam(network.parameters(), 1e-3, fused=True)


def epoch():
    order = torch.randperm(len(x))
    for start in range(0, len(x), 1024):
        batch = order[start : start + 1024]
        adam.zero_grad(set_to_none=True)
        F.cross_entropy(network(x[batch]), y[batch]).backward()
        adam.step()


def accuracy():
    with torch.no_grad():
        return (network(x_check).argmax(1) == y_check).float().mean().item()


serve(epoch, accuracy, {"torch": torch.__version__})

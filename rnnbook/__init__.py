"""Recurrent neural networks from scratch: the package under the book.

Read it from the bottom up: `functions`, `layers`, `gradcheck`, `data`, `training`,
`models`. Then `checks`, `plots` and `widgets`, which serve the book's pages.
"""

from .gradcheck import GradientError, check_gradients, numerical_gradient
from .layers import (
    AddLayer,
    Affine,
    Embedding,
    MulLayer,
    ReLU,
    Sigmoid,
    SoftmaxWithLoss,
    Tanh,
)
from .models import TwoLayerNet
from .training import SGD, Adam

__version__ = "0.1.0"

__all__ = [
    "SGD",
    "Adam",
    "AddLayer",
    "Affine",
    "Embedding",
    "GradientError",
    "MulLayer",
    "ReLU",
    "Sigmoid",
    "SoftmaxWithLoss",
    "Tanh",
    "TwoLayerNet",
    "check_gradients",
    "numerical_gradient",
]

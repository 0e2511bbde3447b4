"""Networks, put together from layers."""

import numpy as np

from . import _validate
from .layers import Affine, Parameters, ReLU, SoftmaxWithLoss

__all__ = ["Sequential", "TwoLayerNet"]


class Sequential:
    """Layers in a row: each one's output is the next one's input.

    Parameters
    ----------
    **layers : layer
        In forward order, each under its own name. The parameters of layer ``hidden``
        appear in `params` as ``hidden.W``, ``hidden.b``, the gradients likewise.

    Raises
    ------
    TypeError
        If something has no ``forward``, ``backward`` and ``params``.
    ValueError
        If one layer object stands in two places, be it inside another `Sequential`:
        its second forward pass would overwrite what the first one kept, and the
        gradient would be silently wrong.
    """

    def __init__(self, **layers):
        for name, layer in layers.items():
            parts = ("forward", "backward", "params", "grads")
            _validate.having(name, layer, parts, "a layer")
        places = list(_places(layers))
        objects = [id(layer) for _, layer in places]
        if len(set(objects)) < len(objects):
            raise ValueError(
                "each layer must be an object of its own, got the same one under two names: "
                f"{', '.join(name for name, layer in places if objects.count(id(layer)) > 1)}"
            )
        self.layers = layers
        self.params = Parameters(self._gather("params"))

    @property
    def grads(self):
        """The gradients found by the last backward pass, under the names of `params`."""
        return self._gather("grads")

    def forward(self, x):
        """Return the output of the last layer."""
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def backward(self, dout):
        """Return dL/dx of the first layer's input; fill `grads`."""
        for layer in reversed(self.layers.values()):
            dout = layer.backward(dout)
        return dout

    def _gather(self, kind):
        return {
            f"{name}.{key}": array
            for name, layer in self.layers.items()
            for key, array in getattr(layer, kind).items()
        }


def _places(layers, prefix=""):
    """Yield every layer with its name, those inside another `Sequential` too."""
    for name, layer in layers.items():
        yield prefix + name, layer
        if isinstance(layer, Sequential):
            yield from _places(layer.layers, f"{prefix}{name}.")


class TwoLayerNet:
    """A classifier with one hidden layer: Affine, ReLU, Affine, softmax with loss.

    Parameters
    ----------
    input_size, hidden_size, output_size : int
    rng : numpy.random.Generator
    weight_init_std : float
        Standard deviation of the initial weights; the biases begin at zero.
    dtype : {numpy.float64, numpy.float32}

    Attributes
    ----------
    params, grads : dict of str to ndarray
        ``W1`` (D, H), ``b1`` (H,), ``W2`` (H, C), ``b2`` (C,).
    """

    def __init__(
        self,
        input_size,
        hidden_size,
        output_size,
        *,
        rng,
        weight_init_std=0.01,
        dtype=np.float64,
    ):
        D = _validate.integer("input_size", input_size, minimum=1)
        H = _validate.integer("hidden_size", hidden_size, minimum=1)
        C = _validate.integer("output_size", output_size, minimum=1)
        _validate.generator("rng", rng)
        std = _validate.real("weight_init_std", weight_init_std, minimum=0)
        dtype = _validate.float_dtype("dtype", dtype)

        self.params = Parameters(
            W1=(std * rng.standard_normal((D, H))).astype(dtype),
            b1=np.zeros(H, dtype),
            W2=(std * rng.standard_normal((H, C))).astype(dtype),
            b2=np.zeros(C, dtype),
        )
        self.grads = {}
        self.layers = Sequential(
            hidden=Affine(self.params["W1"], self.params["b1"]),
            relu=ReLU(),
            scores=Affine(self.params["W2"], self.params["b2"]),
        )
        self.loss_layer = SoftmaxWithLoss()
        self._pending = False

    def predict(self, x):
        """Return the scores, shape (N, C), for inputs of shape (N, D).

        The largest score names the class. Softmax would not change which one is the
        largest, so inference does without it.
        """
        self._pending = False  # the layers now remember this pass
        return self.layers.forward(x)

    def forward(self, x, t):
        """Return the mean loss in nats per example; `t` as in `SoftmaxWithLoss`."""
        loss = self.loss_layer.forward(self.predict(x), t)
        self._pending = True
        return loss

    def backward(self, dout=1.0):
        """Fill `grads`; return dL/dx, shape (N, D).

        Raises
        ------
        RuntimeError
            If the layers' last forward pass was not `forward` but a prediction: its
            memory is not that of the loss.
        """
        if not self._pending:
            raise RuntimeError("TwoLayerNet.backward needs a forward pass right before it")
        dx = self.layers.backward(self.loss_layer.backward(dout))
        grads = self.layers.grads
        self.grads = {
            "W1": grads["hidden.W"],
            "b1": grads["hidden.b"],
            "W2": grads["scores.W"],
            "b2": grads["scores.b"],
        }
        return dx

    def accuracy(self, x, t):
        """Return the share of examples, from 0 to 1, whose largest score is the true class."""
        scores = self.predict(x)
        if len(scores) == 0:
            raise ValueError("x must hold at least one example, got none")
        return float(np.mean(scores.argmax(axis=1) == _validate.labels("t", t, scores.shape)))

"""Layers in a row, a loss behind them, and their parameters in a file."""

import numpy as np

from . import _validate
from .data.archives import read_arrays, write_arrays
from .layers import Parameters

__all__ = ["Network", "Sequential", "load_parameters", "normal_weights", "save_parameters"]


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
        gradient would be silently wrong. Or if two parameters share memory, as tied weights
        do: each would be stepped by itself, with a part of their gradient.
    """

    layers = _validate.Fixed()

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
        _validate.apart("parameters", self.params)

    @property
    def params(self):
        """The parameters of all layers, as these hold them now."""
        return Parameters(self._gather("params"))

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

    def forward_steps(self, x):
        """Do the same time first, and unchecked where a layer for sequences has such an inside."""
        for layer in self.layers.values():
            x = getattr(layer, "forward_steps", layer.forward)(x)
        return x

    def backward_steps(self, dout):
        """Do the same time first, and unchecked where a layer for sequences has such an inside."""
        for layer in reversed(self.layers.values()):
            dout = getattr(layer, "backward_steps", layer.backward)(dout)
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


class Network(_validate.InRange):
    """Layers and a loss: what every model of the book has in common.

    Parameters
    ----------
    layers : Sequential
    loss_layer : layer
        With ``forward(y, t)`` and ``backward(dout)``.
    **names : str
        Short names for parameters, as in ``W1="hidden.W"``. Those without one are not
        trained. Without any short name, all are, under their long names.

    Attributes
    ----------
    params, grads : dict of str to ndarray
        The parameters, ready for an optimiser, and their gradients.
    names : dict of str to str
        Which parameters of the layers these are.
    """

    layers, loss_layer, names = _validate.Fixed(), _validate.Fixed(), _validate.Fixed()

    def __init__(self, layers, loss_layer, **names):
        parts = ("forward", "backward", "params", "grads")
        _validate.having("layers", layers, parts, "a Sequential")
        _validate.having("loss_layer", loss_layer, parts, "a layer")
        self.layers, self.loss_layer = layers, loss_layer
        params = layers.params
        self.names = names or {name: name for name in params}
        for name, long in self.names.items():
            if long not in params:
                raise ValueError(f"{name} must name one of {list(params)}, got {long!r}")
        self._pending = False

    @property
    def params(self):
        """The parameters, ready for an optimiser: the arrays that the layers hold now."""
        params = self.layers.params
        return Parameters({name: params[n] for name, n in self.names.items()})

    @property
    def grads(self):
        """The gradients found by the last backward pass, under the names of `params`."""
        grads = self.layers.grads
        return {name: grads[n] for name, n in self.names.items() if n in grads}

    def predict(self, x):
        """Return the output of the last layer, before the loss; a state moves on."""
        self._pending = False  # the layers now remember this pass
        return self.layers.forward(x)

    def forward(self, x, t):
        """Return the loss for inputs and targets."""
        loss = self.loss_layer.forward(self.predict(x), t)
        self._pending = True
        return loss

    def backward(self, dout=1.0):
        """Fill `grads`; return dL/dx, or None where the inputs are token ids.

        Raises
        ------
        RuntimeError
            If the layers' last forward pass was not `forward` but a prediction: its
            memory is not that of the loss.
        """
        self._check_pending()
        return self.layers.backward(self.loss_layer.backward(dout))

    def _check_pending(self):
        """Check that the layers remember the forward pass of the loss."""
        if not self._pending:
            name = type(self).__name__
            raise RuntimeError(f"{name}.backward needs a forward pass right before it")

    def save(self, path):
        """Write the parameters to a file; see `save_parameters`."""
        save_parameters(path, self.params)

    def load(self, path):
        """Read the parameters from a file; see `load_parameters`."""
        load_parameters(path, self.params)


def save_parameters(path, params):
    """Write named arrays into one ``.npz`` file, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in ``.npz``. A file of that name is replaced, once the new one is complete.
    params : dict of str to ndarray
        Of finite floats; nothing else would be read again.
    """
    for name, param in _validate.named_arrays("params", params).items():
        _validate.floats(f"params[{name!r}]", param, None)
    write_arrays(path, params)


def load_parameters(path, params):
    """Read arrays from a file of `save_parameters` into the arrays of the same names.

    Parameters
    ----------
    path : str or os.PathLike
    params : dict of str to ndarray
        Overwritten in place, all or, if anything does not fit, none.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError, TypeError
        If the file is not a whole ``.npz`` file, or its names, shapes or dtypes differ
        from those of `params`. Pickled objects are never loaded.
    """
    for name, param in _validate.named_arrays("params", params).items():
        _validate.steppable(f"params[{name!r}]", param)
    arrays, path = read_arrays(path), _validate.path("path", path)
    if set(arrays) != set(params):
        raise ValueError(
            f"{path.name} must hold the parameters {sorted(params)}, got {sorted(arrays)}"
        )
    for name, param in params.items():
        where = f"{name} in {path.name}"
        _validate.floats(where, arrays[name], param.shape, dtype=param.dtype, like="the model")
    for name, param in params.items():
        param[...] = arrays[name]


def normal_weights(rng, shape, fan_in, dtype):
    """Draw weights whose sums over `fan_in` inputs have variance 1."""
    return (rng.standard_normal(shape) / np.sqrt(fan_in)).astype(dtype)

"""An argument that is left out has the value that the documentation states.

Each is used three times: left out, and with the value stated, which come to the same; and with
another value, which does not. So a default is held by what it does.
"""

import importlib
import inspect
import io
import itertools
import struct
import tempfile
import time
from pathlib import Path
from unittest import mock

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers import refusal

import rnnbook
from rnnbook import (
    GatedRnnlm,
    SimpleRnnlm,
    batches,
    data,
    functions,
    gradcheck,
    layers,
    models,
    plots,
    recurrent,
    textrun,
    training,
)
from rnnbook import side_by_side as sbs

MODULES = [
    *("batches", "cells", "data", "functions", "gradcheck", "language", "layers", "models"),
    *("network", "optimizers", "plots", "recurrent", "side_by_side", "textrun", "training"),
    "widgets",
]
XS = np.random.default_rng(0).standard_normal((2, 3, 4))
YS = XS**2
IDS = np.array([[1, 0, 2], [2, 1, 0]])
BITS = np.array([0, 1, 1, 0] * 6).reshape(2, 3, 4, 1)
SUMS = data.binary_addition([1, 2], [3, 4])


def rng():
    return np.random.default_rng(1)


def a(kind, *sizes):
    return lambda: kind(*sizes, rng=rng())


def read(reader, *args):
    """Read a text of two signs, or of one, as the encoding has it; return what came of it."""

    def use(**options):
        result = reader(io.BytesIO(b"ab\n\n"), *args, **options)
        return result if isinstance(result, str) else result[1].tokens

    return use


def params(kind, *sizes):
    return lambda **options: dict(kind(*sizes, rng=rng(), **options).params)


def loss(make, x, t):
    """Return a use of `backward`: all gradients of a loss."""

    def use(**options):
        model = make()
        model.forward(x, t)
        return [model.backward(**options), dict(model.grads)]

    return use


def two_networks():
    return sbs.Networks([models.CharRNN(3, 2, rng=rng()) for _ in range(2)])


def passed_twice(kind, gates=1):
    """Return a use of a recurrent layer: two sequences, one after the other."""

    def use(**options):
        weights = [0.3 * rng().standard_normal((size, 5 * gates)) for size in (4, 5)]
        biases = [np.full(5 * gates, 0.1)] + [np.full(5, 0.2)] * (gates == 3)
        layer = kind(*weights, *biases, **options)
        return [layer.forward(XS), layer.forward(XS)]

    return use


def cell_passed(**options):
    cell = rnnbook.RNNCell(np.ones((4, 5)), np.ones((5, 5)), np.ones(5), **options)
    return cell.forward(XS[0], np.zeros((3, 5)))


def unrolled_twice(**options):
    cell = rnnbook.RNNCell(np.ones((4, 5)), np.ones((5, 5)), np.ones(5))
    layer = recurrent.Unrolled(cell, **options)
    return [layer.forward(XS), layer.forward(XS)]


def adam(**options):
    """Return what Adam makes of gradients, some of them as small as its `eps`."""
    weights, optimizer = {"W": np.zeros(3)}, rnnbook.Adam(**options)
    for scale in (1, -0.5, 2):
        optimizer.update(weights, {"W": scale * np.array([1, 1e-4, 1e-8])})
    return weights


def evaluations(**mode):
    """Return a use of `check_gradients`: how often it looks at the loss, and what it finds."""

    def use(**options):
        W, calls = XS[0].copy(), []
        found = gradcheck.check_gradients(
            lambda: calls.append(0) or (W**2).sum(),
            {"W": W},
            {"W": 2 * W},
            rng=rng(),
            **mode,
            **options,
        )
        return [len(calls), str(found)]

    return use


def of_model(method, *arguments):
    def use(**options):
        model = a(SimpleRnnlm, 5, 3, 4)()
        model.params["affine.W"] *= 5  # so that it is sure of something
        return getattr(model, method)(*arguments, **options)

    return use


def sampled(**options):
    return of_model("sample", 0, 50)(rng=rng(), **options)


def added(**options):
    """Return what an adder says that always says 1."""
    adder = a(models.BinaryAdder, 2)()
    adder.params["Wy"][:] = 1
    return adder.add(1, 2, **options)


def digits(**options):
    return list(data.load_digits(rng=rng(), **options))


def mnist(**options):
    """Return what there is in a folder of two images."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("train", "t10k"):
            header = struct.pack(">HBBIII", 0, 8, 3, 1, 28, 28)
            (Path(folder) / f"{part}-images-idx3-ubyte").write_bytes(header + bytes(range(196)) * 4)
            header = struct.pack(">HBBI", 0, 8, 1, 1)
            (Path(folder) / f"{part}-labels-idx1-ubyte").write_bytes(header + b"\7")
        return list(data.load_mnist(folder, **options))


def refused_to_go_on(**options):
    """Return what a run says that is to go on from that of another text."""

    def run(size):
        return textrun.TextRun(
            a(SimpleRnnlm, 5, 3, 4)(),
            rnnbook.SGD(1),
            np.zeros(size, int),
            batch_size=1,
            time_size=2,
        )

    with tempfile.TemporaryDirectory() as folder:
        run(9).save(Path(folder) / "run.npz")
        saved = textrun.read_checkpoint(Path(folder) / "run.npz")
    with refusal(ValueError, "must go on with the text") as caught:
        run(10).go_on(saved, **options)
    return str(caught.value)


def refused_examples(**options):
    with refusal(TypeError, "x must be") as caught:
        batches.check_examples(None, None, **options)
    return str(caught.value)


def shown_by_rounds(seconds):
    """Return a use of `progress`: what two rounds show that take so many seconds each."""

    def use(**options):
        clock, stream = mock.Mock(return_value=0.0), io.StringIO()
        with (
            mock.patch.dict("os.environ", RNNBOOK_QUIET=""),
            mock.patch.object(time, "monotonic", clock),
        ):
            for _ in training.progress(range(2), "training", stream=stream, **options):
                clock.return_value += seconds
        return stream.getvalue()

    return use


def graph(**options):
    _, ax = plt.subplots()
    nodes = {"a": (0, 0, "(+)"), "b": (1, 0, "(×)")}
    plots.draw_graph(ax, nodes, [("a", "b", "", "")], **options)
    plt.close("all")
    return [line.get_markerfacecolor() for line in ax.lines]


def margins(**options):
    _, axes = plots.two_axes(6, 3, **options)
    plt.close("all")
    return [ax.get_position().bounds for ax in axes]


TOKENS = np.array([0, 3, 1, 4, 2, 0, 1])
CASES = [
    # whose argument, its name, the value stated, another, and a use
    ("SoftmaxWithLoss.backward", "dout", 1.0, 2.0, loss(layers.SoftmaxWithLoss, XS[0], IDS[0])),
    ("SquaredError.backward", "dout", 1.0, 2.0, loss(layers.SquaredError, XS[0], XS[1])),
    ("TimeSoftmaxWithLoss.backward", "dout", 1.0, 2.0, loss(layers.TimeSoftmaxWithLoss, XS, IDS)),
    (
        "SoftmaxLosses.backward",
        "dout",
        1.0,
        2.0,
        loss(sbs.SoftmaxLosses, XS[:, None], IDS[:, None]),
    ),
    ("SquaredLosses.backward", "dout", 1.0, 2.0, loss(sbs.SquaredLosses, XS[:, None], YS[:, None])),
    ("LogisticLosses.backward", "dout", 1.0, 2.0, loss(sbs.LogisticLosses, YS[..., None], BITS)),
    ("Networks.backward", "dout", 1.0, 2.0, loss(two_networks, IDS[:, None], IDS[:, None])),
    ("Network.backward", "dout", 1.0, 2.0, loss(a(models.TwoLayerNet, 4, 3, 4), XS[0], IDS[0])),
    ("CharRNN.backward", "dout", 1.0, 2.0, loss(a(models.CharRNN, 3, 2), IDS, IDS)),
    ("BinaryAdder.backward", "dout", 1.0, 2.0, loss(a(models.BinaryAdder, 2), *SUMS)),
    ("LanguageModel.backward", "dout", 1.0, 2.0, loss(a(SimpleRnnlm, 5, 3, 4), IDS, IDS)),
    ("RNNCell.__init__", "activation", "tanh", "sigmoid", cell_passed),
    ("TimeRNN.__init__", "activation", "tanh", "sigmoid", passed_twice(rnnbook.TimeRNN)),
    ("TimeRNN.__init__", "stateful", False, True, passed_twice(rnnbook.TimeRNN)),
    ("TimeLSTM.__init__", "stateful", False, True, passed_twice(rnnbook.TimeLSTM, 4)),
    ("TimeGRU.__init__", "stateful", False, True, passed_twice(rnnbook.TimeGRU, 3)),
    ("Unrolled.__init__", "stateful", False, True, unrolled_twice),
    ("one_hot", "dtype", np.float64, np.float32, lambda **o: functions.one_hot(IDS, 3, **o)),
    ("check_gradients", "mode", "full", "directional", evaluations()),
    ("check_gradients", "directions", 3, 4, evaluations(mode="directional")),
    ("Adam.__init__", "lr", 0.001, 0.002, adam),
    ("Adam.__init__", "beta1", 0.9, 0.91, adam),
    ("Adam.__init__", "beta2", 0.999, 0.998, adam),
    ("Adam.__init__", "eps", 1e-8, 2e-8, adam),
    ("TextRun.go_on", "name", "saved", "it", refused_to_go_on),
    ("progress", "delay", 2.0, 1.0, shown_by_rounds(1.5)),
    ("progress", "delay", 2.0, 3.0, shown_by_rounds(2.5)),
    ("BinaryAdder.__init__", "bias", False, True, params(models.BinaryAdder, 2)),
    ("BinaryAdder.__init__", "dtype", np.float64, np.float32, params(models.BinaryAdder, 2)),
    ("BinaryAdder.add", "bits", 8, 9, added),
    ("BinaryAdder.add", "bits", 8, 7, added),
    ("BinaryAdder.add", "signed", False, True, added),
    ("CharRNN.__init__", "dtype", np.float64, np.float32, params(models.CharRNN, 3, 2)),
    ("TwoLayerNet.__init__", "dtype", np.float64, np.float32, params(models.TwoLayerNet, 4, 3, 2)),
    ("TwoLayerNet.__init__", "weight_init_std", 0.01, 0.02, params(models.TwoLayerNet, 4, 3, 2)),
    ("SimpleRnnlm.__init__", "dtype", np.float32, np.float64, params(SimpleRnnlm, 5, 3, 4)),
    ("GatedRnnlm.__init__", "dtype", np.float32, np.float64, params(GatedRnnlm, 5, 3, 4)),
    ("GatedRnnlm.__init__", "cell", "lstm", "gru", params(GatedRnnlm, 5, 3, 4)),
    ("LanguageModel.evaluate", "batch_size", 1, 2, of_model("evaluate", TOKENS)),
    (
        "LanguageModel.next_probabilities",
        "temperature",
        1.0,
        1.1,
        of_model("next_probabilities", 0),
    ),
    ("LanguageModel.sample", "temperature", 1.0, 9.0, sampled),
    ("binary_addition", "bits", 8, 9, lambda **o: data.binary_addition([1], [2], **o)),
    (
        "binary_addition",
        "dtype",
        np.float64,
        np.float32,
        lambda **o: data.binary_addition([1], [2], **o),
    ),
    ("binary_sums", "bits", 8, 9, lambda **o: next(data.binary_sums(4, rng=rng(), **o))),
    (
        "binary_sums",
        "dtype",
        np.float64,
        np.float32,
        lambda **o: next(data.binary_sums(4, rng=rng(), **o)),
    ),
    ("from_bits", "signed", False, True, lambda **o: data.from_bits(np.array([[0, 1]]), **o)),
    ("load_digits", "held_out", 0.25, 0.26, digits),
    ("load_digits", "dtype", np.float64, np.float32, digits),
    ("load_mnist", "dtype", np.float64, np.float32, mnist),
    ("read_text", "encoding", "utf-8", "utf-16", read(data.read_text)),
    ("load_text", "encoding", "utf-8", "utf-16", read(data.load_text, "char")),
    ("split_text", "held_out", 0.1, 0.2, lambda **o: data.split_text(np.arange(50), **o)),
    ("check_examples", "prefix", "", "held-out ", refused_examples),
    ("draw_graph", "active", (), ("a",), graph),
    ("two_axes", "gap", 0.32, 0.34, margins),
]


def facts(result):
    """Return a result as what can be compared: arrays by dtype, shape and every bit."""
    if isinstance(result, (np.ndarray, layers.RowGradient)):
        result = np.asarray(result)
        return result.dtype.str, result.shape, result.tobytes()
    if isinstance(result, dict):
        return {name: facts(value) for name, value in result.items()}
    if isinstance(result, (list, tuple)):
        return [facts(value) for value in result]
    return result


@pytest.mark.parametrize(
    ("name", "stated", "other", "use"),
    [pytest.param(name, *rest, id=f"{owner}-{name}") for owner, name, *rest in CASES],
)
def test_what_is_left_out_has_the_value_stated(name, stated, other, use):
    assert facts(use()) == facts(use(**{name: stated}))
    assert facts(use()) != facts(use(**{name: other}))


def test_every_default_of_the_public_functions_is_held():
    """None stands for what the function finds out itself, which the module's own tests hold."""

    def functions_of(thing):
        if inspect.isfunction(thing):
            return [thing]
        parts = (
            [vars(kind).items() for kind in inspect.getmro(thing)] if inspect.isclass(thing) else []
        )
        return [
            part
            for name, part in itertools.chain(*parts)
            if inspect.isfunction(part) and (name == "__init__" or name[0] != "_")
        ]

    public = {
        function.__qualname__: inspect.signature(function).parameters
        for module in (importlib.import_module(f"rnnbook.{name}") for name in MODULES)
        for name in module.__all__
        for function in functions_of(getattr(module, name))
        if function.__module__.startswith("rnnbook")
    }
    wanted = {
        (owner, name)
        for owner, parameters in public.items()
        for name, parameter in parameters.items()
        if parameter.default not in (parameter.empty, None) and "factory" not in str(parameter)
    }
    assert wanted == {(owner, name) for owner, name, *_ in CASES}

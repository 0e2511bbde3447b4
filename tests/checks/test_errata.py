"""The game of *Errata*: its seven slips are found one by one, and its answers repair them."""

import numpy as np
import pytest
import refresh
from answers.errata import PRINTED, SEVEN, repaired, tagged

import rnnbook
from rnnbook import checks
from rnnbook.recurrent import Unrolled

SLIPPED = list(SEVEN)
LAYER = SLIPPED[:4]  # the slips of TimeRNN; the others are the model's


def with_slips(*slips):
    """Return the classes of the page with these slips, the others repaired."""
    assert all(PRINTED.count(wrong) == 1 for wrong, _, _ in SEVEN.values())
    classes = {"np": np, "rb": rnnbook}
    exec(repaired(PRINTED, *slips), classes)
    return classes


def finding(classes):
    """Return the first thing that the checks of the page find."""
    layer = checks.time_rnn(classes["TimeRNN"])
    return checks.rnnlm(classes["SimpleRnnlm"]) if layer else layer


@pytest.mark.parametrize("slip", SEVEN)
def test_each_of_the_seven_slips_is_found_alone(slip):
    classes = with_slips(slip)
    assert SEVEN[slip][2] in finding(classes).message
    assert checks.time_rnn(classes["TimeRNN"]).ok == (slip not in LAYER)
    if slip in LAYER:
        assert checks.rnnlm(classes["SimpleRnnlm"]).message.startswith("First the TimeRNN. ")


def test_the_seven_slips_are_found_one_by_one():
    found = [finding(with_slips(*SLIPPED[k:])).message for k in range(7)]
    assert len(set(found)) == 7
    for message, (_, _, told) in zip(found, SEVEN.values(), strict=True):
        assert told in message
    assert finding(with_slips()).kind == "right"


def test_the_answers_of_the_page_repair_one_slip_each():
    classes = with_slips(*SLIPPED)
    classes["checks"] = checks
    exec(tagged("answers"), classes)
    for k, (_, _, told) in enumerate(SEVEN.values(), start=1):
        assert told in finding(classes).message
        exec(tagged(f"answer-{k}"), classes)
    assert finding(classes)


@pytest.mark.parametrize("slips", [(), SLIPPED[:1]], ids=len)  # as printed: nbval
def test_the_page_runs_whatever_the_reader_has_repaired(slips, capsys):
    """From the classes to the table it prints the same, as soon as all slips are repaired."""
    notebook = refresh.read(refresh.BOOK / "errata.ipynb")
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    begin = next(i for i, cell in enumerate(cells) if "class Keeper" in cell.source)
    end = next(i for i, cell in enumerate(cells) if "def passed(slip, T)" in cell.source)
    page, printed = {"np": np, "rb": rnnbook, "checks": checks}, []
    for cell in cells[begin : end + 1]:
        ours = "seven-slips" in cell.metadata.get("tags", ())
        exec(repaired(cell.source, *slips) if ours else cell.source, page)
        shown = "".join(output.get("text", "") for output in cell.outputs)
        printed.append((capsys.readouterr().out, shown))
    told = [(out, shown) for out, shown in printed if out][1:]  # without the first verdict
    assert len(told) == 2
    assert all(out == shown for out, shown in told)
    assert finding(page)


def test_the_layers_of_the_package_are_right():
    assert checks.time_rnn(rnnbook.TimeRNN)
    assert checks.time_rnn(
        lambda Wx, Wh, b, stateful=False: Unrolled(rnnbook.RNNCell(Wx, Wh, b), stateful)
    )


def test_the_model_of_the_page_is_that_of_the_package():
    model = with_slips()["SimpleRnnlm"](9, 4, 5, np.random.default_rng(0))
    truth = rnnbook.SimpleRnnlm(9, 4, 5, rng=np.random.default_rng(1), dtype=np.float64)
    truth.params.update(model.params)
    for xs, ts in np.random.default_rng(2).integers(0, 9, (3, 2, 2, 7)):
        np.testing.assert_allclose(model.forward(xs, ts), truth.forward(xs, ts), rtol=1e-12)
        model.backward()
        truth.backward()
        for name, grad in truth.grads.items():
            np.testing.assert_allclose(model.grads[name], np.asarray(grad), atol=1e-12)

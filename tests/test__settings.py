"""What a run takes where it is not told, and which notes of a checkpoint it believes."""

import argparse
import math

import numpy as np
import pytest

from rnnbook._settings import NUMBERS, SETTINGS, by_size, new_settings, noted, option, wrong
from rnnbook.textrun import Checkpoint


def new(**given):
    names = ("level", "epochs", *SETTINGS)
    return new_settings(argparse.Namespace(**(dict.fromkeys(names) | given)))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, {"level": "char", "lr": 0.003, "wordvec_size": 32, "max_vocabulary": None}),
        ({"level": "word"}, {"lr": 0.002, "wordvec_size": 64, "max_vocabulary": 10_000}),
        ({"level": "whitespace"}, {"lr": 0.002, "wordvec_size": 64, "max_vocabulary": None}),
        ({"level": "whitespace", "max_vocabulary": 9}, {"max_vocabulary": 9}),
        ({"optimizer": "sgd"}, {"lr": 1.0}),
        ({"optimizer": "sgd", "lr": 0.5, "epochs": 0, "seed": 3}, {"lr": 0.5, "epochs": 0}),
        ({"held_out": 0.0, "clip": 0.0}, {"held_out": 0.0, "clip": 0.0}),
    ],
)
def test_what_is_not_given_has_a_default(given, wanted):
    settings = new(**given)
    assert set(settings) == {"level", "epochs", *SETTINGS}
    assert wanted.items() <= settings.items()
    assert given.items() <= settings.items()


@pytest.mark.parametrize(
    ("level", "predictions", "wanted"),
    [
        ("char", 1, (1, 1, 50)),
        ("char", 4_000, (4, 16, 40)),
        ("char", 31_500, (4, 30, 10)),
        ("word", 7_000, (4, 16, 22)),
        ("char", 180_000, (21, 32, 10)),
        ("whitespace", 900_000, (32, 32, 5)),
    ],
)
def test_sizes_suit_the_text(level, predictions, wanted):
    settings = {"level": level, **dict.fromkeys(("batch_size", "time_size", "epochs"))}
    by_size(settings, predictions)
    assert (settings["batch_size"], settings["time_size"], settings["epochs"]) == wanted
    mine = {"level": level, "batch_size": 7, "time_size": 9, "epochs": 3}
    before = dict(mine)
    by_size(mine, predictions)
    assert mine == before


def test_every_text_can_be_read_in_the_sizes_chosen_for_it():
    for predictions in [*range(1, 300), *range(300, 10**6, 9999)]:
        settings = {"level": "char", **dict.fromkeys(("batch_size", "time_size", "epochs"))}
        by_size(settings, predictions)
        assert 1 <= settings["batch_size"] <= min(predictions, 32)
        assert 1 <= settings["time_size"] <= min(predictions, 32)
        assert 10 <= settings["epochs"] <= 50


def test_a_wrong_number_is_told_what_is_right():
    assert option("held_out") == "--held-out"
    for name, low in NUMBERS.items():
        for number in (math.nan, math.inf, -math.inf, low - 1):
            assert wrong(name, number).startswith("must be ")
            assert wrong(name, number).endswith(f", got {number}")
        assert (wrong(name, low) is None) == (name != "lr")
        assert (wrong(name, low + 1) is None) == (name != "held_out")


# Forged notes -------------------------------------------------------------------------

NOTES = {
    "settings": new(wordvec_size=5, hidden_size=6) | {"batch_size": 3, "time_size": 7, "epochs": 2},
    "vocabulary": ["a", "b", "c"],
    "held_out_losses": [1.5, 2.0],
    "text": "9 tokens",
    "before": [0, 2, 1],
}
PARAMS = {"embed.W": np.ones((3, 5)), "rnn.Wh": np.ones((6, 24)), "affine.W": np.ones((6, 3))}


def found(notes=NOTES, params=PARAMS):
    return noted(Checkpoint({}, notes, np.ones(2), params, {}, {}, {}))


def test_true_notes_are_believed():
    settings, vocabulary = found()
    assert settings == NOTES["settings"]
    assert vocabulary.tokens == ("a", "b", "c")
    for cell, gates in (("gru", 3), ("rnn", 1)):
        notes = NOTES | {"settings": NOTES["settings"] | {"cell": cell}}
        assert found(notes, PARAMS | {"rnn.Wh": np.ones((6, 6 * gates))})[0] == notes["settings"]
        assert found(notes) == (None, None)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("settings", [None, [], {}, {"level": "char"}]),
        ("vocabulary", [5, [], [1, 2, 3], ["a"], ["a"] * 3, [["a"]] * 3, {"a": 1}]),
        ("held_out_losses", [None, ["x"], [1], [math.inf], [math.nan], {}]),
        ("text", [None, 5, {}]),
        ("before", [None, "x", [], [-1], [3], [True], [0.0], [0] * 257]),
    ],
)
def test_forged_notes_are_not(name, values):
    for value in values:
        assert found(NOTES | {name: value}) == (None, None)
    assert found({key: value for key, value in NOTES.items() if key != name}) == (None, None)


def test_forged_settings_are_not():
    other = {"max_vocabulary": [None], "encoding": ["x"]}  # what else may stand there
    for name, right in NOTES["settings"].items():
        allowed = [right, *other.get(name, [])]
        if name in NUMBERS:
            allowed += [v for v in (0.5, 2, 10**40) if wrong(name, v) is None]
            allowed = [v for v in allowed if type(v) is not float or type(right) is float]
        for value in (None, "x", -1, 1e999, math.nan, True, [], {}, 0.5, 2, 10**40):
            if not any(value is v or (type(value) is type(v) and value == v) for v in allowed):
                assert found(NOTES | {"settings": NOTES["settings"] | {name: value}})[0] is None


def test_sizes_that_the_parameters_do_not_have_are_not():
    for name in PARAMS:
        assert found(params={k: v for k, v in PARAMS.items() if k != name}) == (None, None)
        assert found(params=PARAMS | {name: np.ones((2, 3))}) == (None, None)
    for name in ("wordvec_size", "hidden_size"):
        settings = NOTES["settings"] | {name: 50_000}
        assert found(NOTES | {"settings": settings}) == (None, None)

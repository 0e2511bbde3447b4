"""Wherever ids are wanted, lists of them are welcome: nested ones too, as JSON holds them."""

import numpy as np
import pytest
from helpers import refusal

from rnnbook import CharRNN, GatedRnnlm, SimpleRnnlm, side_by_side, truncated_bptt_batches
from rnnbook.data import Vocabulary, from_bits, one_hot, split_text
from rnnbook.functions import cross_entropy
from rnnbook.layers import Embedding, SoftmaxWithLoss, TimeEmbedding, TimeSoftmaxWithLoss
from rnnbook.optimizers import SGD
from rnnbook.recurrent import TimeTokenRNN
from rnnbook.textrun import TextRun

ROWS, LINE = [[0, 1, 2], [2, 1, 0]], [0, 1, 2, 1, 0, 2]


def new(model=SimpleRnnlm, **options):
    return model(3, 2, 4, rng=np.random.default_rng(0), **options)


def floats(*shape):
    return np.random.default_rng(1).standard_normal(shape)


def trained(tokens):
    run = TextRun(new(), SGD(0.1), tokens, batch_size=1, time_size=2)
    return run.advance(3)


def beside(model=SimpleRnnlm):
    return side_by_side.Networks([new(model), new(model)])


DOORS = {
    "decode": (LINE, lambda ids: Vocabulary(["a", "b", "c"]).decode(ids)),
    "split_text": (LINE, lambda ids: split_text(ids, held_out=0.5)),
    "one_hot": (ROWS, lambda ids: one_hot(ids, 3)),
    "from_bits": ([[0, 1], [1, 1]], from_bits),
    "truncated_bptt_batches": (LINE, lambda ids: [*truncated_bptt_batches(ids, 2, 2)]),
    "cross_entropy": ([0, 2], lambda ids: cross_entropy(floats(2, 3), ids)),
    "one-hot rows": ([[0, 0, 1], [1, 0, 0]], lambda ids: cross_entropy(floats(2, 3), ids)),
    "Embedding": (ROWS, lambda ids: Embedding(floats(3, 2)).forward(ids)),
    "TimeEmbedding": (ROWS, lambda ids: TimeEmbedding(floats(3, 2)).forward(ids)),
    "SoftmaxWithLoss": ([0, 2], lambda ids: SoftmaxWithLoss().forward(floats(2, 3), ids)),
    "TimeSoftmaxWithLoss": (
        ROWS,
        lambda ids: TimeSoftmaxWithLoss().forward(floats(2, 3, 3), ids, np.eye(2, 3) > 0),
    ),
    "TimeTokenRNN": (
        ROWS,
        lambda ids: TimeTokenRNN(floats(3, 2), floats(2, 4), floats(4, 4), floats(4)).forward(ids),
    ),
    "CharRNN.forward": (
        ROWS,
        lambda ids: CharRNN(3, 2, rng=np.random.default_rng(0)).forward(ids, ids),
    ),
    "forward": (ROWS, lambda ids: new().forward(ids, ids)),
    "predict": (ROWS, lambda ids: new(GatedRnnlm).predict(ids)),
    "read": (LINE, lambda ids: new().read(ids).probabilities),
    "next_probabilities": (LINE, lambda ids: new().next_probabilities(ids)),
    "sample": (LINE, lambda ids: new().sample(ids, 5, rng=np.random.default_rng(0))),
    "evaluate": (LINE, lambda ids: new().evaluate(ids, batch_size=2)),
    "TextRun": (LINE, trained),
    "Networks.forward": ([[[0], [1]], [[2], [1]]], lambda ids: beside().forward(ids, ids)),
    "Networks.evaluate": (LINE, lambda ids: beside().evaluate(ids)),
}


@pytest.mark.parametrize("door", DOORS)
def test_lists_do_what_arrays_do(door):
    ids, call = DOORS[door]
    wanted = call(np.array(ids))
    np.testing.assert_equal(call(ids), wanted)
    np.testing.assert_equal(
        call(tuple(map(tuple, ids)) if np.ndim(ids) > 1 else tuple(ids)), wanted
    )


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("bad", [0.5, True, None, "1", 10**30, [], np.ma.array([1], mask=True)])
def test_what_is_no_id_in_a_list_is_refused_by_the_name_of_the_argument(door, bad):
    ids, call = DOORS[door]
    wrong = [*ids[:-1], [*ids[-1][:-1], bad]] if np.ndim(ids) > 1 else [*ids[:-1], bad]
    with refusal((TypeError, ValueError), " must hold "):
        call(wrong)

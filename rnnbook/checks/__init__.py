"""Feedback on exercises that tries to say *what* is wrong, not only that it is.

Each check takes what the reader wrote and returns a `Verdict`. It runs the code on small
examples, with all sizes different, and compares the numbers with the right ones. Where they
disagree it looks for a known slip that gives exactly the reader's numbers. There is one
module a chapter; `verdict` runs the reader's code, `guard` sees that it comes back, and
`compare` compares.
"""

from .computational_graphs import div_layer, shop, sub_layer
from .gradients_through_time import clip_by_norm, recall_by_hand, window_backward
from .rnn_language_model import draw_token, perplexity_of, text_batch, time_affine_backward
from .verdict import Verdict

__all__ = [
    "Verdict",
    "clip_by_norm",
    "div_layer",
    "draw_token",
    "perplexity_of",
    "recall_by_hand",
    "shop",
    "sub_layer",
    "text_batch",
    "time_affine_backward",
    "window_backward",
]

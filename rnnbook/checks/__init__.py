"""Feedback on exercises that tries to say *what* is wrong, not only that it is.

Each check takes what the reader wrote and returns a `Verdict`. It runs the code on small
examples, with all sizes different, and compares the numbers with the right ones. Where they
disagree it looks for a known slip that gives exactly the reader's numbers. There is one
module a chapter; `verdict` runs the reader's code, `guard` sees that it comes back,
`compare` compares, and `way_back` walks back through a network, also with a slip.
"""

from .binary_addition import comparator, negate, tanh_backward
from .computational_graphs import div_layer, shop, sub_layer
from .hello import char_backward, culprits, is_gradient
from .verdict import Verdict

__all__ = [
    "Verdict", "char_backward", "comparator", "culprits", "div_layer", "is_gradient", "negate",
    "shop", "sub_layer", "tanh_backward",
]  # fmt: skip

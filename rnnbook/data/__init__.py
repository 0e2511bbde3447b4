"""Data: what ships with the package, loaders of the reader's own files, and text as tokens."""

from ..functions import one_hot
from .archives import read_arrays, write_arrays
from .bits import binary_addition, binary_sums, from_bits, to_bits
from .images import Dataset, load_digits, load_mnist, read_idx
from .text import (
    END_OF_LINE,
    UNKNOWN,
    Vocabulary,
    alice_opening,
    detokenize,
    house_that_jack_built,
    load_text,
    read_text,
    split_text,
    tokenize,
)

__all__ = [
    "END_OF_LINE",
    "UNKNOWN",
    "Dataset",
    "Vocabulary",
    "alice_opening",
    "binary_addition",
    "binary_sums",
    "detokenize",
    "from_bits",
    "house_that_jack_built",
    "load_digits",
    "load_mnist",
    "load_text",
    "one_hot",
    "read_arrays",
    "read_idx",
    "read_text",
    "split_text",
    "to_bits",
    "tokenize",
    "write_arrays",
]

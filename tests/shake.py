"""Random numbers moved far below anything that is printed.

What rounding another processor does, nobody here can know. But a result that does not
survive when its random numbers move in the tenth digit would not survive that either. So
the tests run the notebooks in kernels where every float that NumPy draws is multiplied by
1 + 1e-10 ξ, with ξ between −1 and 1 (and a float32 is moved by one unit of its last place,
or not at all), and nothing that a notebook prints may change.

The ξ of a number is made from its bits and from the number of the shake, and from nothing
else. So what is drawn twice is moved twice in the same way, whoever draws it and however
the generator was made, copied or sent.
"""

import functools

import numpy as np

SIZE = {"Generator": 1e-10, "RandomState": 1e-13}
GIVEN = ("choice", "permutation", "permuted")  # whose floats were given, not drawn

_default_rng = np.random.default_rng
_key = np.uint64(0)


def xi(values):
    """Return a number between −1 and 1 for each float, the same whenever the float is."""
    bits = np.atleast_1d(values.astype(np.float64)).view(np.uint64) ^ _key
    for factor in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB):
        bits = bits * np.uint64(factor)
        bits ^= bits >> np.uint64(31)
    return (bits / 2.0**63 - 1).reshape(values.shape)


def moved(drawn, size):
    """Move what a method has drawn, in place where it is an array; leave integers alone."""
    if isinstance(drawn, float):
        return drawn * (1 + size * float(xi(np.array(drawn))))
    if isinstance(drawn, np.ndarray) and drawn.dtype.kind == "f":
        drawn[...] = drawn * (1 + max(size, np.finfo(drawn.dtype).eps) * xi(drawn))
    return drawn


def shaken(cls):
    """Let each method that draws return moved numbers."""
    for name in dir(cls):
        real = getattr(cls, name)
        if callable(real) and not name.startswith("_") and name not in GIVEN:
            setattr(cls, name, _moving(real))
    return cls


def _moving(real):
    @functools.wraps(real)
    def draw(self, *args, **kwargs):
        if self._drawing:  # one method has called another: moving once is enough
            return real(self, *args, **kwargs)
        self._drawing = True
        try:
            return moved(real(self, *args, **kwargs), SIZE[type(self).__name__])
        finally:
            self._drawing = False

    return draw


@shaken
class Generator(np.random.Generator):
    """A generator whose floats are moved, and those of its copies and children."""

    _drawing = False

    def __reduce__(self):
        _, *rest = super().__reduce__()
        return type(self), *rest


@shaken
class RandomState(np.random.RandomState):
    """The generator of older code, whose floats are moved."""

    _drawing = False

    def __reduce__(self):
        _, *rest = super().__reduce__()
        return type(self), *rest


def default_rng(seed=None):
    """Return a shaken generator, as `numpy.random.default_rng` would."""
    rng = _default_rng(seed)
    return rng if isinstance(rng, Generator) else Generator(rng.bit_generator)


def install(number):
    """Shake all that NumPy draws from now on in this process, in one way for each number."""
    global _key
    _key = np.random.SeedSequence(number).generate_state(1, np.uint64)[0]
    np.random.default_rng, np.random.Generator = default_rng, Generator
    np.random.RandomState = RandomState
    shared = RandomState()
    for name in dir(np.random):
        if hasattr(RandomState, name) and callable(getattr(RandomState, name)):
            setattr(np.random, name, getattr(shared, name))
    np.random.sample = np.random.ranf = shared.random_sample

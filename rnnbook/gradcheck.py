"""Gradient checks: whether the derivatives that the code computes agree with the loss.

This module imports nothing of ours but the error messages, so it shares no bug with
the code that it checks.
"""

from dataclasses import dataclass

import numpy as np

from . import _validate

__all__ = ["GradientError", "GradientReport", "check_gradients", "numerical_gradient"]

# The step at which truncation and rounding errors balance, and what then remains of
# them for a loss of moderate size. The chapter "Backpropagation" derives it.
_EPS = {"float64": 6e-6, "float32": 5e-3}
_RTOL = {"float64": 1e-6, "float32": 1e-2}
_ATOL = {"float64": 1e-8, "float32": 1e-3}


class GradientError(AssertionError):
    """A gradient check failed; the message and `reports` say where, with the numbers."""

    def __init__(self, message, reports):
        super().__init__(message)
        self.reports = reports


@dataclass(frozen=True)
class GradientReport:
    """What a gradient check found for one array.

    Attributes
    ----------
    name : str
        The array's name.
    where : tuple of int, or None
        The index of the worst entry; ``None`` in directional mode.
    computed, numerical : float
        The derivative given and the one measured, there (or along the direction).
    difference : float
        ``|computed - numerical|``.
    allowed : float
        The largest difference that passes: ``atol + rtol * max(|computed|, |numerical|)``.
    """

    name: str
    where: tuple | None
    computed: float
    numerical: float
    difference: float
    allowed: float

    @property
    def ok(self):
        """Whether the difference is within what is allowed."""
        return bool(self.difference <= self.allowed)

    def __str__(self):
        index = "along a random direction" if self.where is None else str(list(self.where))
        return (
            f"{self.name}{'' if self.where else ' '}{index}: computed {self.computed:.6g}, "
            f"numerical {self.numerical:.6g}, difference {self.difference:.2g} "
            f"(allowed {self.allowed:.2g})"
        )


def numerical_gradient(f, x, *, eps=None):
    """Measure the gradient of a scalar function by central differences.

    .. math:: \\frac{\\partial f}{\\partial x_i} \\approx
              \\frac{f(x + \\varepsilon e_i) - f(x - \\varepsilon e_i)}{2 \\varepsilon}

    It takes two evaluations of `f` for every entry of `x`.

    Parameters
    ----------
    f : callable
        Called as ``f(x)``; must return one finite number.
    x : ndarray of float32 or float64, any shape
        Changed in place, one entry at a time, and always restored. So `f` may also
        be a function that ignores its argument and looks at the same array elsewhere,
        inside a layer, say.
    eps : float, optional
        The step. By default 6e-6 for float64 and 5e-3 for float32, near the best for
        a function whose values and derivatives are of moderate size.

    Returns
    -------
    ndarray
        The gradient, with the shape and dtype of `x`.

    Raises
    ------
    TypeError, ValueError
        If `x` is not floating point (an array of integers cannot take a small step),
        if `eps` is not positive or vanishes beside an entry, or if `f` does not
        return one finite number.
    """
    _check_function(f)
    _validate.finite("x", _validate.steppable("x", x))
    eps = _step(eps, x.dtype)
    grad = np.empty_like(x)
    for index in np.ndindex(x.shape):
        grad[index] = _slope(lambda: f(x), x, index, eps, "x")
    return grad


def check_gradients(
    f, params, grads, *, mode="full", eps=None, rtol=None, atol=None, directions=3, rng=None
):
    """Check computed gradients against numerical ones; raise with the worst entry named.

    Parameters
    ----------
    f : callable
        Called as ``f()``; returns the loss at the present values of `params`.
    params : dict of str to ndarray
        The arrays to step in. They are changed in place and always restored.
    grads : dict of str to ndarray
        The gradients to check, with the names and shapes of `params`.
    mode : {"full", "directional"}
        ``"full"`` measures every entry (two evaluations of `f` each) and locates the
        worst. ``"directional"`` measures, for each array, the slope along a few random
        directions (two evaluations each, however large the array): fast, and blind
        only by an unlikely accident, but it cannot say where.
    eps : float, optional
        The step, as in `numerical_gradient`.
    rtol, atol : float, optional
        What is allowed, ``atol + rtol * max(|computed|, |numerical|)``. By default
        (1e-6, 1e-8) for float64 and (1e-2, 1e-3) for float32.
    directions : int
        How many directions for each array in directional mode.
    rng : numpy.random.Generator
        Needed in directional mode.

    Returns
    -------
    dict of str to GradientReport
        The worst finding for each array.

    Raises
    ------
    GradientError
        If any array disagrees. Its message names the worst entry, its ``reports``
        hold the findings for all arrays.
    TypeError, ValueError
        If the arguments do not fit together.
    """
    _check_function(f)
    if mode not in ("full", "directional"):
        raise ValueError(f'mode must be "full" or "directional", got {mode!r}')
    _validate.parameters(params, grads)
    if not params:
        raise ValueError("params must hold at least one array, got none")
    for name, param in params.items():
        _validate.finite(f"params[{name!r}]", param)
    if mode == "directional":
        _validate.generator("rng", rng)
        _validate.integer("directions", directions, minimum=1)

    reports = {}
    for name, param in params.items():
        step = _step(eps, param.dtype)
        tolerance = _tolerance(rtol, atol, param.dtype)
        grad = np.asarray(grads[name])
        if mode == "full":
            reports[name] = _check_entries(f, name, param, grad, step, tolerance)
        else:
            rows = [
                _check_direction(f, name, param, grad, step, tolerance, rng)
                for _ in range(directions)
            ]
            reports[name] = max(rows, key=_badness)

    failed = sorted((r for r in reports.values() if not r.ok), key=_badness, reverse=True)
    if failed:
        rows = "\n".join(f"  {report}" for report in failed)
        raise GradientError(
            f"{len(failed)} of {len(reports)} gradients are wrong, the worst first:\n{rows}",
            reports,
        )
    return reports


def _check_entries(f, name, param, grad, eps, tolerance):
    worst = None
    for index in np.ndindex(param.shape):
        numerical = _slope(f, param, index, eps, name)
        report = _report(name, index, float(grad[index]), numerical, tolerance)
        if worst is None or _badness(report) > _badness(worst):
            worst = report
    return worst


def _check_direction(f, name, param, grad, eps, tolerance, rng):
    # No entry is near zero and no two are alike: an error neither hides nor cancels.
    direction = rng.uniform(0.5, 1.5, size=param.shape) * rng.choice([-1, 1], size=param.shape)
    step = eps * direction / np.linalg.norm(direction)
    kept = param.copy()
    above, below = (kept + step).astype(param.dtype), (kept - step).astype(param.dtype)
    stuck = (above == kept) | (below == kept)
    if stuck.any():
        raise _vanishing(eps, name, np.argwhere(stuck)[0], kept[stuck][0])
    try:
        param[...] = above
        f_above = _evaluate(f)
        param[...] = below
        f_below = _evaluate(f)
    finally:
        param[...] = kept
    moved = (above.astype(float) - below) / (2 * eps)  # the step really taken
    return _report(
        name, None, float(np.sum(grad * moved)), (f_above - f_below) / (2 * eps), tolerance
    )


def _slope(f, x, index, eps, name):
    """Return the central difference of ``f()`` in one entry of `x`, which is restored."""
    kept = x[index]
    above, below = x.dtype.type(kept + eps), x.dtype.type(kept - eps)
    if above == kept or below == kept:
        raise _vanishing(eps, name, index, kept)
    try:
        x[index] = above
        f_above = _evaluate(f)
        x[index] = below
        f_below = _evaluate(f)
    finally:
        x[index] = kept
    return (f_above - f_below) / (float(above) - float(below))  # the step really taken


def _vanishing(eps, name, index, entry):
    place = [int(i) for i in index]
    return ValueError(f"eps must not vanish beside {name}{place} = {entry}, got {eps}")


def _evaluate(f):
    value = f()
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    return float(_validate.real("the value of f", value))


def _report(name, where, computed, numerical, tolerance):
    rtol, atol = tolerance
    allowed = atol + rtol * max(abs(computed), abs(numerical))
    return GradientReport(name, where, computed, numerical, abs(computed - numerical), allowed)


def _badness(report):
    return report.difference / report.allowed


def _step(eps, dtype):
    return _EPS[dtype.name] if eps is None else _validate.real("eps", eps, above=0)


def _tolerance(rtol, atol, dtype):
    rtol = _RTOL[dtype.name] if rtol is None else _validate.real("rtol", rtol, minimum=0)
    atol = _ATOL[dtype.name] if atol is None else _validate.real("atol", atol, above=0)
    return rtol, atol


def _check_function(f):
    if not callable(f):
        raise TypeError(f"f must be a function, got {_validate.describe(f)}")

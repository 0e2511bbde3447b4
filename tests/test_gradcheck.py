"""The gradient check passes what is right, finds what is wrong, and says where."""

import numpy as np
import pytest
from helpers import FLOATS, floats_away_from_zero, read_only, refusal

from rnnbook import check_gradients, numerical_gradient
from rnnbook.functions import cross_entropy, softmax
from rnnbook.gradcheck import GradientError

both_floats = pytest.mark.parametrize("dtype", FLOATS)
both_modes = pytest.mark.parametrize("mode", ["full", "directional"])


def cubes(dtype=np.float64, seed=0):
    """Return a loss over two arrays, the arrays, and their right gradients."""
    rng = np.random.default_rng(seed)
    params = {
        name: floats_away_from_zero(rng, s, dtype) for name, s in (("W", (3, 4)), ("b", (2,)))
    }
    return (
        lambda: sum((x**3).sum() for x in params.values()),
        params,
        {name: 3 * x**2 for name, x in params.items()},
    )


def check(f, params, grads, mode="full", seed=0, **options):
    return check_gradients(f, params, grads, mode=mode, rng=np.random.default_rng(seed), **options)


def passes(f, params, grads, **options):
    try:
        return bool(check(f, params, grads, "directional", **options))
    except GradientError:
        return False


# numerical_gradient -------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3), (2, 1, 3)])
@both_floats
def test_the_numerical_gradient_of_cubes(shape, dtype):
    x = floats_away_from_zero(np.random.default_rng(0), shape, dtype)
    grad = numerical_gradient(lambda x: (x**3).sum(), x)
    assert (grad.dtype, grad.shape) == (dtype, shape)
    np.testing.assert_allclose(grad, 3 * x**2, rtol=1e-9 if dtype is np.float64 else 1e-2)


def test_the_error_of_central_differences_falls_with_the_square_of_the_step():
    x = np.array([1.0])
    errors = [abs(numerical_gradient(lambda x: (x**3).sum(), x, eps=e)[0] - 3) for e in (0.1, 0.01)]
    np.testing.assert_allclose(errors, [0.01, 0.0001], rtol=1e-6)  # eps² exactly, for a cube


def test_the_function_may_look_at_the_array_elsewhere():
    x = np.array([2.0, 3.0])
    np.testing.assert_allclose(numerical_gradient(lambda _: x[0] * x[1], x), [3, 2])


def test_two_evaluations_for_every_entry():
    calls = []
    numerical_gradient(lambda x: calls.append(x.copy()) or 0.0, np.ones((2, 3)))
    assert len(calls) == 12
    assert all(np.sum(x != 1) == 1 for x in calls)


@both_floats
def test_the_step_that_was_really_taken_is_divided_by(dtype):
    x = np.array([1000.0], dtype)  # in float32, 0.005 is no multiple of the spacing here
    np.testing.assert_allclose(numerical_gradient(lambda x: 2.0 * float(x[0]), x), 2, rtol=1e-9)


@pytest.mark.parametrize("value", [1, 2.5, np.float32(2), np.array(2.0), np.array([[2.0]])])
def test_the_function_may_return_any_kind_of_number(value):
    np.testing.assert_array_equal(numerical_gradient(lambda _: value, np.ones(2)), [0, 0])


@pytest.mark.parametrize(
    ("error", "value", "wanted"),
    [
        (TypeError, None, "got NoneType None"),
        (TypeError, "2.0", "got str '2.0'"),
        (TypeError, 2j, "got complex 2j"),
        (TypeError, np.ones(2), "got an array of shape (2,)"),
        (ValueError, np.nan, "got nan"),
        (ValueError, np.array([np.inf]), "got inf"),
    ],
)
@pytest.mark.parametrize("measure", [numerical_gradient, lambda f, x: check(f, {"W": x}, {"W": x})])
def test_a_function_that_returns_no_finite_number_is_refused(error, value, wanted, measure):
    with refusal(error, "the value of f must be a finite number", wanted):
        measure(lambda *_: value, np.ones(2))


BAD_ARRAYS = [
    (TypeError, [1.0], "must be a numpy array, got list [1.0]"),
    (TypeError, np.array([1, 2]), "must hold float32 or float64 numbers, got dtype int"),
    (TypeError, np.ones(2, np.float16), "got dtype float16"),
    (ValueError, np.ones((0, 3)), "must not be empty, got shape (0, 3)"),
    (ValueError, read_only(np.ones(2)), "must be writeable"),
    (ValueError, np.array([1.0, np.nan]), "must be finite, got nan at index [1]"),
]


@pytest.mark.parametrize(("error", "x", "wanted"), BAD_ARRAYS)
def test_an_array_without_small_steps_is_refused(error, x, wanted):
    with refusal(error, "x ", wanted):
        numerical_gradient(lambda x: 0.0, x)
    with refusal(error, "params['W'] ", wanted):
        check_gradients(lambda: 0.0, {"W": x}, {"W": np.zeros_like(x)})


@pytest.mark.parametrize(
    ("error", "eps", "wanted"),
    [
        (ValueError, 0, "eps must be a finite number > 0, got 0"),
        (ValueError, -1e-5, "got -1e-05"),
        (ValueError, np.nan, "got nan"),
        (TypeError, "small", "got str 'small'"),
    ],
)
def test_a_bad_step_is_refused(error, eps, wanted):
    with refusal(error, wanted):
        numerical_gradient(lambda x: 0.0, np.ones(2), eps=eps)


@both_modes
@both_floats
def test_a_step_that_vanishes_beside_an_entry_is_refused(mode, dtype):
    x = np.array([[1, 1, 1], [1, 1, 2.0**40]], dtype)
    with refusal(ValueError, "eps must not vanish beside W[1, 2] = 1", "got 1e-05"):
        check(lambda: 0.0, {"W": x}, {"W": x}, mode, eps=1e-5)


@both_modes
@both_floats
@pytest.mark.parametrize("sign", [1, -1])
def test_a_step_that_vanishes_on_one_side_alone_is_refused(mode, dtype, sign):
    entry = sign * dtype(2) ** 20  # towards zero, floats lie twice as dense as beyond
    eps = 0.4 * float(np.spacing(abs(entry)))
    assert (entry + dtype(eps) == entry) != (entry - dtype(eps) == entry)
    with refusal(ValueError, "eps must not vanish beside W[0] = "):
        check(lambda: 0.0, {"W": np.array([entry])}, {"W": np.zeros(1, dtype)}, mode, eps=eps)
    if mode == "full":
        with refusal(ValueError, "eps must not vanish beside x[0] = "):
            numerical_gradient(lambda x: 0.0, np.array([entry]), eps=eps)


@pytest.mark.parametrize("f", [None, 3, np.ones(2)])
def test_what_is_no_function_is_refused(f):
    with refusal(TypeError, "f must be a function, got "):
        numerical_gradient(f, np.ones(2))


# check_gradients ----------------------------------------------------------------------


@both_modes
@both_floats
def test_right_gradients_pass_and_are_reported(mode, dtype):
    f, params, grads = cubes(dtype)
    reports = check(f, params, grads, mode)
    assert list(reports) == ["W", "b"]
    for name, report in reports.items():
        assert report.name == name
        assert report.ok
        assert report.difference == abs(report.computed - report.numerical) <= report.allowed


@both_floats
@pytest.mark.parametrize("index", list(np.ndindex(3, 4)))
def test_full_mode_names_the_entry_that_is_wrong(dtype, index):
    f, params, grads = cubes(dtype)
    right = grads["W"][index].copy()
    grads["W"][index] *= 1.1
    with pytest.raises(GradientError) as caught:
        check(f, params, grads)
    report = caught.value.reports["W"]
    assert report.where == index
    assert report.computed == grads["W"][index]
    assert report.numerical == pytest.approx(right, rel=1e-2)
    assert caught.value.reports["b"].ok


def test_the_message_lists_the_numbers_the_worst_first():
    f, params, grads = cubes()
    params["W"][1, 2] = params["b"][1] = 2
    grads["W"], grads["b"] = 3 * params["W"] ** 2, 3 * params["b"] ** 2
    grads["W"][1, 2], grads["b"][1] = 12.5, -12
    with pytest.raises(GradientError) as caught:
        check(f, params, grads)
    assert str(caught.value).splitlines() == [
        "2 of 2 gradients are wrong, the worst first:",
        "  b[1]: computed -12, numerical 12, difference 24 (allowed 1.2e-05)",
        "  W[1, 2]: computed 12.5, numerical 12, difference 0.5 (allowed 1.3e-05)",
    ]


def test_the_message_of_directional_mode_says_that_it_cannot_say_where():
    f, params, grads = cubes()
    grads["W"][1, 2] += 1
    with refusal(GradientError, "1 of 2", "W along a random direction: computed ", "numerical "):
        check(f, params, grads, "directional")


@both_floats
def test_directional_mode_never_misses_one_flipped_sign(dtype):
    def missed(seed):
        f, params, grads = cubes(dtype, seed)
        index = tuple(np.random.default_rng(seed).integers((3, 4)))
        grads["W"][index] *= -1
        return passes(f, params, grads, seed=seed)

    assert not any(map(missed, range(200)))


def test_directional_mode_never_misses_errors_that_are_equal_and_opposite():
    def missed(seed):
        # With two classes the gradient is (d, -d): equal weights on both would cancel it.
        scores = np.random.default_rng(seed).standard_normal(2)
        wrong = np.array([1, 0]) - softmax(scores)  # t - y in place of y - t
        return passes(
            lambda: cross_entropy(scores, np.array(0)),
            {"scores": scores},
            {"scores": wrong},
            seed=seed,
            directions=1,
        )

    assert not any(map(missed, range(200)))


@pytest.mark.parametrize("size", [1.0, 100.0, 3000.0])
def test_directional_mode_takes_no_rounding_of_the_step_for_an_error(size):
    def passed(seed):
        rng = np.random.default_rng(seed)
        w = floats_away_from_zero(rng, 20, np.float32) * np.float32(size)
        slope = floats_away_from_zero(rng, 20, np.float32)
        # In float64, so that the loss itself rounds nothing.
        return passes(lambda: float(w.astype(float) @ slope), {"w": w}, {"w": slope}, seed=seed)

    assert all(map(passed, range(50)))


@pytest.mark.parametrize(
    ("options", "evaluations"),
    [
        ({"mode": "full"}, 2 * (12 + 2)),
        ({"mode": "directional"}, 2 * 3 * 2),
        ({"mode": "directional", "directions": 5}, 2 * 5 * 2),
    ],
)
def test_the_number_of_evaluations(options, evaluations):
    f, params, grads = cubes()
    calls = []
    check(lambda: calls.append(0) or f(), params, grads, **options)
    assert len(calls) == evaluations


@both_modes
@both_floats
@pytest.mark.parametrize("fails_at", [None, 1, 2, 7])
def test_the_parameters_are_restored_to_the_last_bit_even_if_the_function_fails(
    mode, dtype, fails_at
):
    f, params, grads = cubes(dtype)
    params["W"][0] = [-0.0, 0.1, np.finfo(dtype).tiny, 1 / 3]
    grads["W"] = 3 * params["W"] ** 2
    before = {name: x.tobytes() for name, x in params.items()}
    calls = []

    def fragile():
        calls.append(0)
        if len(calls) == fails_at:
            raise ZeroDivisionError
        return f()

    if fails_at is None:
        check(fragile, params, grads, mode)
    else:
        with pytest.raises(ZeroDivisionError):
            check(fragile, params, grads, mode)
    assert {name: x.tobytes() for name, x in params.items()} == before


@both_modes
def test_the_gradients_are_left_as_they_were(mode):
    f, params, grads = cubes()
    check(f, params, {name: read_only(g) for name, g in grads.items()}, mode)


@both_modes
def test_an_array_of_rank_zero_can_be_checked(mode):
    x = {"x": np.array(2.0)}
    check(lambda: x["x"] ** 3, x, {"x": np.array(12.0)}, mode)
    with pytest.raises(GradientError, match="x"):
        check(lambda: x["x"] ** 3, x, {"x": np.array(11.0)}, mode)


def test_the_same_generator_gives_the_same_report():
    assert check(*cubes(), "directional", seed=3) == check(*cubes(), "directional", seed=3)


def test_the_tolerances_are_those_that_were_asked_for():
    f, params, grads = cubes()
    grads["b"] *= 1.05
    with pytest.raises(GradientError):
        check(f, params, grads, rtol=0.01)
    assert check(f, params, grads, rtol=0.1)["b"].ok
    assert check(f, params, grads, atol=10)["b"].ok


@both_modes
def test_a_difference_just_as_large_as_allowed_passes_and_one_beyond_does_not(mode):
    x, grads = {"x": np.array([2.0])}, {"x": np.array([1.0])}  # of a loss whose slope is zero
    report = check(lambda: 0.0, x, grads, mode, atol=1.0, rtol=0)["x"]
    allowed = report.difference
    assert check(lambda: 0.0, x, grads, mode, atol=allowed, rtol=0)["x"].allowed == allowed
    with pytest.raises(GradientError):
        check(lambda: 0.0, x, grads, mode, atol=float(np.nextafter(allowed, 0)), rtol=0)


def test_what_is_allowed_grows_with_the_larger_of_the_two():
    for slope, computed in ((4.0, 3.0), (3.0, 4.0), (-4.0, -3.0)):
        x = {"x": np.array([2.0])}
        options = {"eps": 0.5, "rtol": 0.25, "atol": 0.125}  # so that nothing is rounded
        report = check(
            lambda s=slope, x=x: s * x["x"][0], x, {"x": np.array([computed])}, **options
        )
        assert report["x"].difference == 1
        assert report["x"].allowed == 0.125 + 0.25 * 4


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (ValueError, {"mode": "fast"}, 'mode must be "full" or "directional", got \'fast\''),
        (TypeError, {"mode": "directional", "rng": None}, "rng must be a numpy.random.Generator"),
        (
            ValueError,
            {"mode": "directional", "directions": 0},
            "directions must be an integer >= 1",
        ),
        (ValueError, {"rtol": -1}, "rtol must be a finite number >= 0, got -1"),
        (ValueError, {"atol": 0}, "atol must be a finite number > 0, got 0"),
        (TypeError, {"params": [np.ones(2)]}, "params must be a dict of arrays by name, got list"),
        (TypeError, {"grads": None}, "grads must be a dict of arrays by name, got NoneType None"),
        (ValueError, {"grads": {"V": np.ones(2)}}, "names of params, ['W'], got ['V']"),
        (ValueError, {"grads": {"W": np.ones(3)}}, "grads['W'] must have shape (2,), got (3,)"),
        (ValueError, {"grads": {"W": np.array([0, np.nan])}}, "grads['W'] must be finite, got nan"),
        (ValueError, {"params": {}, "grads": {}}, "params must hold at least one array"),
        (TypeError, {"f": 0.0}, "f must be a function, got float 0.0"),
    ],
)
def test_bad_arguments_are_refused(error, change, wanted):
    arguments = {
        "f": lambda: 0.0,
        "params": {"W": np.ones(2)},
        "grads": {"W": np.zeros(2)},
        "rng": np.random.default_rng(0),
    }
    with refusal(error, wanted):
        check_gradients(**(arguments | change))

"""Shaken random numbers: all move, the same ones always alike, and the gate sees what changes."""

import copy
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import kernels
import nbformat
import numpy as np
import pytest
import shake
import shaken_nbval

BOTH = ("Generator", "RandomState")
DRAWS = {  # each method whose numbers are floats, with what it needs
    "beta": (2, 3),
    "chisquare": (2,),
    "dirichlet": ([1, 2, 3],),
    "exponential": (2,),
    "f": (2, 3),
    "gamma": (2,),
    "gumbel": (),
    "laplace": (),
    "logistic": (),
    "lognormal": (),
    "multivariate_normal": ([1, 2], [[2, 1], [1, 2]]),
    "noncentral_chisquare": (2, 3),
    "noncentral_f": (2, 3, 1),
    "normal": (1, 2),
    "pareto": (3,),
    "power": (3,),
    "rand": (),
    "randn": (),
    "random": (),
    "random_sample": (),
    "rayleigh": (),
    "standard_cauchy": (),
    "standard_exponential": (),
    "standard_gamma": (2,),
    "standard_normal": (),
    "standard_t": (3,),
    "triangular": (-1, 0.5, 1),
    "uniform": (-1, 1),
    "vonmises": (0, 1),
    "wald": (1, 2),
    "weibull": (2,),
}
INTEGERS = {
    "binomial": (9, 0.5),
    "geometric": (0.5,),
    "hypergeometric": (5, 5, 3),
    "integers": (99,),
    "logseries": (0.5,),
    "multinomial": (9, [0.5, 0.5]),
    "multivariate_hypergeometric": ([5, 5], 3),
    "negative_binomial": (3, 0.5),
    "poisson": (3,),
    "randint": (99,),
    "tomaxint": (),
    "zipf": (3,),
}
OTHERS = {"bytes", "choice", "permutation", "permuted", "shuffle", "spawn"}
OTHERS |= {"bit_generator", "get_state", "set_state", "seed", "random_integers"}


@pytest.fixture
def install(monkeypatch):
    """Return `shake.install`; what it replaces is put back after the test."""
    for name, value in list(vars(np.random).items()):
        monkeypatch.setattr(np.random, name, value)
    monkeypatch.setattr(shake, "_key", shake._key)
    return shake.install


def generator(cls, seed=0):
    return np.random.default_rng(seed) if cls == "Generator" else np.random.RandomState(seed)


def draw(rng, name, size):
    arguments = (DRAWS | INTEGERS)[name]
    if name in ("rand", "randn"):
        return getattr(rng, name)(*size)
    return getattr(rng, name)(*arguments, size=size)


def assert_moved(before, after, by):
    """Check that nothing moved further than the shake allows, and most of it by as much."""
    assert before.dtype == after.dtype
    distance = np.abs(after / before - 1)
    assert distance.max() <= 1.01 * by
    assert np.mean(distance > by / 100) > 0.3
    assert len(np.unique(distance)) > 2


def test_the_tables_have_every_method():
    public = {
        name for cls in BOTH for name in dir(getattr(np.random, cls)) if not name.startswith("_")
    }
    assert public == {*DRAWS, *INTEGERS, *OTHERS}


@pytest.mark.parametrize(
    ("cls", "name"),
    [(cls, name) for cls in BOTH for name in DRAWS if hasattr(getattr(np.random, cls), name)],
)
def test_every_float_is_moved_and_differently_by_each_shake(cls, name, install):
    before = draw(generator(cls), name, (50,))
    install(1)
    first = draw(generator(cls), name, (50,))
    again = draw(generator(cls), name, (50,))
    install(2)
    second = draw(generator(cls), name, (50,))
    assert_moved(before, first, shake.SIZE[cls])
    assert_moved(before, second, shake.SIZE[cls])
    assert (first == again).all()
    assert (first != second).mean() > 0.99


@pytest.mark.parametrize(
    ("cls", "name"),
    [(cls, name) for cls in BOTH for name in INTEGERS if hasattr(getattr(np.random, cls), name)],
)
def test_integers_stay(cls, name, install):
    before = draw(generator(cls), name, (50,))
    install(1)
    np.testing.assert_array_equal(draw(generator(cls), name, (50,)), before)


@pytest.mark.parametrize("cls", BOTH)
def test_what_is_chosen_or_shuffled_stays(cls, install):
    values = np.linspace(0, 1, 7)

    def arranged():
        rng, shuffled = generator(cls), values.copy()
        rng.shuffle(shuffled)
        found = [shuffled, rng.choice(values, 9), rng.permutation(values), rng.bytes(5)]
        found += [rng.choice(values, 9, p=np.full(7, 1 / 7))]
        return found + ([rng.permuted(values)] if cls == "Generator" else [])

    before = arranged()
    install(1)
    for one, other in zip(before, arranged(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_number_is_moved_like_the_same_number_in_an_array(install):
    install(1)
    many, single = generator("Generator"), generator("Generator")
    numbers = [single.standard_normal() for _ in range(6)]
    assert all(isinstance(number, float) for number in numbers)
    np.testing.assert_array_equal(many.standard_normal((2, 3)).ravel(), numbers)
    assert single.normal(size=()) == many.normal()


def test_an_array_to_write_to_is_moved_in_place(install):
    before = generator("Generator").standard_normal(9)
    install(1)
    out = np.empty(9)
    assert generator("Generator").standard_normal(out=out) is out
    assert_moved(before, out, 1e-10)


def test_float32_is_moved_in_its_last_place(install):
    before = generator("Generator").standard_normal(500, dtype=np.float32)
    install(1)
    assert_moved(before, generator("Generator").standard_normal(500, dtype=np.float32), 2**-22)


@pytest.mark.parametrize("cls", BOTH)
def test_a_copy_draws_what_the_original_draws(cls, install):
    install(1)
    rng = generator(cls)
    rng.normal(size=3)
    copies = [pickle.loads(pickle.dumps(rng)), copy.deepcopy(rng)]
    expected = rng.normal(size=3)
    for each in copies:
        np.testing.assert_array_equal(each.normal(size=3), expected)


def test_every_way_to_a_generator_is_shaken(install):
    ways = {
        "made directly": lambda: np.random.Generator(np.random.PCG64(0)),
        "given": lambda: np.random.default_rng(np.random.default_rng(0)),
        "from bits": lambda: np.random.default_rng(np.random.MT19937(0)),
        "from a sequence": lambda: np.random.default_rng(np.random.SeedSequence(0)),
        "from older code": lambda: np.random.default_rng(np.random.RandomState(0)),
        "spawned": lambda: np.random.default_rng(0).spawn(2)[1],
    }
    before = {name: make().normal(size=9) for name, make in ways.items()}
    install(1)
    for name, make in ways.items():
        assert isinstance(make(), np.random.Generator)
        assert_moved(before[name], make().normal(size=9), 1e-10)
    rng = np.random.default_rng(0)
    assert np.random.default_rng(rng) is rng


def test_the_functions_of_older_code_are_shaken(install):
    def drawn():
        older = np.random
        older.seed(3)
        return np.concatenate([older.rand(5), older.randn(5), older.sample(5)])

    before = drawn()
    install(1)
    assert_moved(before, drawn(), 1e-13)
    np.testing.assert_array_equal(drawn()[:5], np.random.RandomState(3).rand(5))


WEIGHT = """
import numpy as np
from rnnbook import BinaryAdder, plots
w = float(BinaryAdder(3, rng=np.random.default_rng(0)).params["Wx"][0, 0])
"""
CHAOS = """
x = w
for _ in range(100):
    x = 4 * x * (1 - x)
"""
FIGURE = """
fig, ax = plots.plt.subplots(figsize=(3, 2))
ax.plot([0, {}], [0, 1], "o-")
plots.show(fig, "A line.")
"""
CELLS = {
    "six digits of a weight of the package": WEIGHT + "f'{w:.6f}'",
    "all its digits": "w",
    "a picture": FIGURE.format("w"),
    "a result that a small change turns": CHAOS + "round(x, 2)",
    "its picture": FIGURE.format("x"),
    "what the shake left behind": "sorted(globals().keys() & {'os', 'sys', 'shake'})",
}
CHANGE = {"all its digits", "a result that a small change turns", "its picture"}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A notebook that stores what the cells show in a kernel that is not shaken."""
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in CELLS.values()]
    notebook = nbformat.v4.new_notebook(cells=cells)
    folder = tmp_path_factory.mktemp("planted")
    kernels.execute(notebook, cwd=str(folder), kernel_name="python3", timeout=60)
    nbformat.write(notebook, folder / "planted.ipynb")
    return folder / "planted.ipynb"


@pytest.mark.parametrize("options", [[], ["--shake", "1"], ["--shake", "2", "--older-kernels"]])
def test_the_gate_finds_what_changes_and_nothing_else(options, planted):
    options = ["-p", "shaken_nbval", *options, "--nbval", "--nbval-current-env", planted]
    settings = Path(__file__).parents[2] / "pyproject.toml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", settings, "-p", "no:cacheprovider", *options],
        capture_output=True,
        encoding="utf8",
    )
    numbers = re.findall(r"^FAILED .*::Cell (\d+)", done.stdout, re.M)
    failed = {list(CELLS)[int(number)] for number in numbers}
    assert failed == (CHANGE if "--shake" in options else set()), done.stdout
    assert f"{len(CELLS) - len(failed)} passed" in done.stdout
    assert ("The picture differs" in done.stdout) == ("its picture" in failed)


def weight_in_a_kernel(monkeypatch, **environment):
    """Return a weight that the package draws, as a kernel with this environment prints it."""
    with monkeypatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(WEIGHT + "w")])
        kernels.execute(notebook, kernel_name="python3", timeout=60)
    return float(notebook.cells[0].outputs[0].data["text/plain"])


def test_each_shake_gives_a_kernel_other_numbers(monkeypatch):
    steady, *shaken = (
        weight_in_a_kernel(monkeypatch, **environment)
        for environment in ({}, *(shaken_nbval.environment(shake=number) for number in (1, 2)))
    )
    assert len({steady, *shaken}) == 3
    for weight in shaken:
        assert 1e-13 < abs(weight / steady - 1) <= 1e-9


def test_older_kernels_calculate_otherwise():
    code = """
import hashlib
import numpy as np
x = np.random.default_rng(0).standard_normal((300, 300))
print(np.show_config(mode="dicts")["SIMD Extensions"].get("found", []))
print(*(hashlib.sha256(y).hexdigest() for y in (x @ x, np.tanh(x) + np.exp(x))))
"""
    own = {k: v for k, v in os.environ.items() if k not in shaken_nbval.older_kernels()}
    new, old = (
        subprocess.run(
            [sys.executable, "-c", code], env=environment, check=True, capture_output=True
        ).stdout.splitlines()
        for environment in (own, own | shaken_nbval.older_kernels())
    )
    assert old[0] == b"[]"
    if new[0] != b"[]":
        assert old[1] != new[1]

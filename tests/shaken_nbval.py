"""A plugin of pytest: nbval with shaken random numbers, and a look at the pictures.

    pytest -p shaken_nbval --shake 1 --nbval --nbval-current-env book/memory.ipynb

Each number of ``--shake`` moves the notebooks' random numbers in another way, far below
anything that is printed (see shake.py), and what a notebook prints and draws must stay the
same. ``--older-kernels`` computes products and functions as an older processor would.
"""

import os
import platform
from pathlib import Path

import numpy as np
import pictures
import pytest
from nbval.plugin import IPyNbCell


def pytest_addoption(parser):
    group = parser.getgroup("shake", "shaken random numbers")
    group.addoption("--shake", type=int, help="how to move the random numbers: any number")
    group.addoption("--older-kernels", action="store_true", help="as on an older processor")


def pytest_configure(config):
    os.environ.update(environment(config.option.shake, config.option.older_kernels))


def environment(shake=None, older=False):
    """Return the variables that make a kernel a shaken one, or one of an older processor."""
    variables = {}
    if shake is not None:
        startup = Path(__file__).with_name("shake_kernel.py")
        variables |= {"PYTHONSTARTUP": str(startup), "RNNBOOK_SHAKE": str(shake)}
    if older:  # unless the user has chosen kernels
        variables |= {k: v for k, v in older_kernels().items() if k not in os.environ}
    return variables


def older_kernels():
    """Return the variables that give this machine the arithmetic of an older one."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    variables = {"NPY_DISABLE_CPU_FEATURES": " ".join(found)}
    if platform.machine() in ("x86_64", "AMD64"):
        new = any(name.startswith(("AVX512", "X86_V4")) for name in found)
        variables["OPENBLAS_CORETYPE"] = "Haswell" if new else "Nehalem"
    return variables


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """After nbval has compared the text of a cell's outputs, compare their pictures."""
    result = yield
    if isinstance(item, IPyNbCell):
        pairs = zip(pictures_of(item.cell.outputs), pictures_of(item.test_outputs), strict=True)
        for stored, drawn in pairs:
            if found := pictures.difference(stored, drawn):
                item.raise_cell_error("The picture differs", found)
    return result


def pictures_of(outputs):
    """Return the PNGs among a cell's outputs."""
    found = (output.get("data", {}).get("image/png") for output in outputs)
    return [picture for picture in found if picture]

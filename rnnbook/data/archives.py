"""Named arrays in a file, whole or not at all."""

import contextlib
import os

import numpy as np

from .. import _validate

__all__ = ["read_arrays", "write_arrays"]


def write_arrays(path, arrays):
    """Write named arrays into one ``.npz`` file, whole or not at all.

    They are written to a file beside it, which then takes its name. Whatever happens on
    the way, under that name stands the old file or the new one, never a part.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in ``.npz``. A file of that name is replaced, once the new one is complete.
    arrays : dict of str to ndarray
        Of anything but Python objects.
    """
    path = _npz(path)
    for name, array in _validate.named_arrays("arrays", arrays).items():
        if not isinstance(array, np.ndarray) or array.dtype.hasobject:
            got = _validate.describe(array)
            raise TypeError(f"arrays[{name!r}] must be an array without Python objects, got {got}")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # let the name last too, where folders can be synced
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_arrays(path):
    """Read the arrays of a ``.npz`` file into a dict; Python objects are never loaded.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a whole ``.npz`` file of arrays.
    """
    path = _npz(path)
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as content:
                return dict(content)
        except Exception as e:  # damaged bytes raise whatever NumPy or zipfile stumbles over
            raise ValueError(f"{path.name} must be a whole .npz file of arrays, got: {e}") from None


def _npz(path):
    path = _validate.path("path", path)
    if path.suffix != ".npz":
        raise ValueError(f"path must end in .npz, got {path.name!r}")
    return path

"""Named arrays in a file, whole or not at all."""

import contextlib
import math
import os
import secrets
import zipfile

import numpy as np

from .. import _validate

__all__ = ["read_arrays", "write_arrays"]


_MOST_BYTES, _MOST_ARRAYS = 2**30, 2**16  # of a file that others may have made
_KINDS = "biufcSUmM"  # numbers, text and times: no Python objects, no records


def write_arrays(path, arrays):
    """Write named arrays into one ``.npz`` file, whole or not at all.

    They are written to a file beside it, which then takes its name. Whatever happens on
    the way, under that name stands the old file or the new one, never a part.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in ``.npz``. A file of that name is replaced, once the new one is complete.
    arrays : dict of str to ndarray
        Of numbers, text or times. Names may have parts, as in ``"params/W"``.

    Raises
    ------
    TypeError, ValueError
        If a name or an array is one that `read_arrays` would not give back as it is.
    """
    path = _npz(path)
    for name, array in _validate.named_arrays("arrays", arrays).items():
        if not _is_plain(name):
            raise ValueError(
                "arrays must have names of printable signs without backslashes, and no part of "
                f"them empty, '.' or '..'; got {_validate.shorten(repr(name))}"
            )
        if type(array) is not np.ndarray or not _is_kept(array.dtype):
            raise TypeError(
                f"arrays[{name!r}] must be an array of numbers, text or times, "
                f"got {_validate.describe(array)}"
            )
    if len(arrays) > _MOST_ARRAYS:
        raise ValueError(f"arrays must be at most {_MOST_ARRAYS}, got {len(arrays)}")
    part = path.with_name(f".{secrets.token_hex(16)}.part")  # nobody can have laid a link there
    try:
        with part.open("xb") as file:
            with zipfile.ZipFile(file, "w") as content:
                for name, array in arrays.items():
                    with content.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, array, (1, 0), allow_pickle=False)
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
    """Read the arrays of a ``.npz`` file into a dict.

    What the file says about itself is looked at before anything is unpacked. Python objects are
    never loaded.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a whole ``.npz`` file of numbers, text or times, with names as `write_arrays`
        takes them; or if it is larger, unpacked, than itself and than 1 GiB, or has more than
        65,536 arrays.
    """
    path = _npz(path)
    with path.open("rb") as file:
        most = max(_MOST_BYTES, os.fstat(file.fileno()).st_size)
        try:
            with zipfile.ZipFile(file) as content:
                members = _checked(content, most)
                return {name: _read(content, member) for name, member in members.items()}
        except Exception as e:  # damaged bytes raise whatever NumPy or zipfile stumbles over
            name, got = _validate.printable(path.name), _validate.printable(str(e))
            raise ValueError(f"{name} must be a whole .npz file of arrays, got: {got}") from None


def _checked(content, most):
    """Return the members of an archive by the names of their arrays, none unpacked."""
    infos, members = content.infolist(), {}
    size = sum(info.file_size for info in infos)
    if size > most or len(infos) > _MOST_ARRAYS:
        raise ValueError(f"{len(infos)} arrays of {size} bytes in all, too much to unpack")
    for info in infos:
        name = info.filename.removesuffix(".npy")
        if name == info.filename or not _is_plain(name) or name in members:
            raise ValueError(f"a second {name!r}" if name in members else f"a file {name!r}")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name!r} packed in a way that numpy does not use")
        with content.open(info) as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise ValueError(f"{name!r} of version {version}")
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            whole = file.tell() + math.prod(shape) * dtype.itemsize
        if not _is_kept(dtype) or min(shape, default=0) < 0 or info.file_size != whole:
            raise ValueError(
                f"{name!r} of shape {shape} and dtype {dtype} in {info.file_size} bytes"
            )
        members[name] = info
    return members


def _read(content, member):
    with content.open(member) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
        file.read()  # to the end, where the checksum is compared
        return array


def _is_plain(name):
    """Return whether an archive keeps a name, and every system can unpack it to one place."""
    parts = name.split("/")
    return name.isprintable() and "\\" not in name and not {"", ".", ".."}.intersection(parts)


def _is_kept(dtype):
    """Return whether a ``.npy`` file keeps the dtype, and no code is run to read it."""
    return dtype.kind in _KINDS and dtype.itemsize > 0


def _npz(path):
    path = _validate.path("path", path)
    if path.suffix != ".npz":
        raise ValueError(f"path must end in .npz, got {path.name!r}")
    return path

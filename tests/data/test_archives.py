"""Arrays of any kind are read as they were written; test_network.py holds the rest."""

import io
import os
import stat
import zipfile

import numpy as np
import pytest
from helpers import refusal
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rnnbook.data import read_arrays, write_arrays


def same(found, arrays):
    """Return whether two dicts hold the same arrays, to the last bit and their order in memory."""
    return list(found) == list(arrays) and all(
        (a.shape, a.dtype, a.tobytes()) == (b.shape, b.dtype, b.tobytes())
        and (a.flags.f_contiguous, type(a)) == (b.flags.f_contiguous, np.ndarray)
        for a, b in zip(found.values(), arrays.values(), strict=True)
    )


def test_arrays_of_any_kind_but_objects_are_written_and_read(tmp_path):
    path = tmp_path / "a.npz"
    arrays = {
        "x/y": np.arange(3),
        "text": np.array("é\n"),
        "none": np.zeros((0, 2)),
        "Fortran": np.asfortranarray(np.ones((2, 3))),
        "NaN": np.array([np.nan, -0.0, np.inf]),
        "big": np.arange(3, dtype=">i2"),
        "day": np.array(["2000-01-01", "NaT"], "M8[D]"),
        "bits": np.array([True]),
        "bytes": np.array([b"a", b"bc"]),
        "half": np.float16([1]),
    }
    write_arrays(path, arrays)
    assert same(read_arrays(str(path)), arrays)
    with np.load(path) as theirs:
        assert same({name: theirs[name] for name in arrays}, arrays)
    for bad in (
        [1],
        np.array([{}]),
        np.ma.array([1], mask=[True]),
        np.zeros(2).view(np.recarray),
        np.zeros(2, "i4, f8"),
        np.zeros(2, "V3"),
    ):
        with refusal(TypeError, "arrays['x'] must be an array of numbers, text or times, got "):
            write_arrays(path, {"x": bad})
    assert same(read_arrays(path), arrays)
    assert os.listdir(tmp_path) == ["a.npz"]


@pytest.mark.parametrize(
    "names",
    [["allow_pickle", "file", "args"], ["a", "a.npy", "A", "a.npy.npy"], ["ä", "params/rnn.W"]],
)
def test_every_name_comes_back_with_its_own_array(tmp_path, names):
    arrays = {name: np.array(i) for i, name in enumerate(names)}
    write_arrays(tmp_path / "a.npz", arrays)
    assert same(read_arrays(tmp_path / "a.npz"), arrays)


@pytest.mark.parametrize(
    "name", ["", "/", "/a", "a/", "a//b", "../a", "a/../b", ".", "a\\b", "a\0b", "\x1b", "\ud800"]
)
def test_a_name_that_an_archive_would_not_keep_is_refused(tmp_path, name):
    with refusal(ValueError, "arrays must have names of printable signs", repr(name)):
        write_arrays(tmp_path / "a.npz", {name: np.ones(1)})
    assert os.listdir(tmp_path) == []


@given(
    arrays=st.dictionaries(
        st.text(max_size=5),
        hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_side=0)),
        max_size=3,
    )
)
def test_arrays_come_back_as_they_were_or_are_refused(tmp_path_factory, arrays):
    path = tmp_path_factory.getbasetemp() / "any.npz"
    try:
        message = ""
        write_arrays(path, arrays)
    except (TypeError, ValueError) as error:
        message = str(error)
    assert message.startswith("arrays") if message else same(read_arrays(path), arrays)


# Files of others ----------------------------------------------------------------------


def npy(array=None, header=None):
    """Return a member: an array, or a header that promises one."""
    file = io.BytesIO()
    if header is None:
        np.save(file, array)
    else:
        np.lib.format.write_array_header_1_0(file, {"fortran_order": False} | header)
    return file.getvalue()


ONE = npy(np.ones(1))
HOSTILE = {
    "a header that promises more": ({"a.npy": npy(header={"descr": "<f8", "shape": (2**50,)})}, ""),
    "a negative shape": (
        {"a.npy": npy(header={"descr": "<f8", "shape": (-1, -1)}) + b"\0" * 8},
        "",
    ),
    "more than the header says": ({"a.npy": ONE + b"\0"}, ""),
    "a pickle": ({"a.npy": npy(np.array([None]))}, "dtype object"),
    "no array": ({"a.txt": b"text"}, "a file 'a.txt'"),
    "a way out": ({"../a.npy": ONE}, "a file '../a'"),
    "an escape": ({"\x1b]0;x\x07.npy": ONE}, r"\x1b]0;x\x07"),
    "another version": ({"a.npy": ONE[:6] + b"\2" + ONE[7:]}, "version (2, 0)"),
    "a size of nothing": ({"a.npy": npy(header={"descr": "<U0", "shape": (2**60,)})}, ""),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_member_that_is_no_plain_array_is_refused_before_it_is_read(tmp_path, kind):
    path, (members, wanted) = tmp_path / "a.npz", HOSTILE[kind]
    with zipfile.ZipFile(path, "w") as content:
        for name, data in members.items():
            content.writestr(name, data)
    with refusal(ValueError, "a.npz must be a whole .npz file of arrays, got: ", wanted):
        read_arrays(path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as content,
        content.open("a.npy", "w", force_zip64=True) as member,
    ):
        member.write(npy(header={"descr": "<u1", "shape": (2**22,)}))
        member.write(bytes(2**22))
    assert read_arrays(path)["a"].shape == (2**22,)
    monkeypatch.setattr("rnnbook.data.archives._MOST_BYTES", 2**22)
    monkeypatch.setattr(zipfile.ZipFile, "open", None)  # nothing is unpacked
    with refusal(ValueError, "a.npz must be a whole", "1 arrays of 4194432 bytes", "too much"):
        read_arrays(path)


def test_what_was_written_is_never_too_large_to_read(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnbook.data.archives._MOST_BYTES", 10)
    monkeypatch.setattr("rnnbook.data.archives._MOST_ARRAYS", 2)
    write_arrays(tmp_path / "a.npz", {"a": np.zeros(100), "b": np.zeros(100)})
    assert len(read_arrays(tmp_path / "a.npz")) == 2
    with refusal(ValueError, "arrays must be at most 2, got 3"):
        write_arrays(tmp_path / "a.npz", dict.fromkeys("abc", np.zeros(1)))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_members_of_one_name_none_is_chosen(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as content:
        content.writestr("a.npy", ONE)
        content.writestr("a.npy", npy(np.zeros(1)))
    with refusal(ValueError, "a.npz must be", "a second 'a'"):
        read_arrays(tmp_path / "a.npz")


def test_a_file_damaged_at_any_place_is_refused_or_gives_the_same(tmp_path):
    path, arrays = tmp_path / "a.npz", {"a": np.arange(3.0)}
    write_arrays(path, arrays)
    whole = path.read_bytes()
    damaged = [whole[:i] for i in range(len(whole))]
    damaged += [whole[:i] + bytes([whole[i] ^ 0x55]) + whole[i + 1 :] for i in range(len(whole))]
    for raw in damaged:
        path.write_bytes(raw)
        try:
            message, found = "", read_arrays(path)
        except ValueError as error:
            message = str(error)
        if message:
            assert message.startswith("a.npz must be a whole .npz file of arrays, got: ")
        else:
            np.testing.assert_equal([*found.values()], [*arrays.values()])


# Whole or not at all ------------------------------------------------------------------


def test_no_link_that_lies_in_wait_is_followed(tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda size: "guessed")
    (tmp_path / "victim").write_bytes(b"mine")
    link = tmp_path / ".guessed.part"
    link.symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError):
        write_arrays(tmp_path / "a.npz", {"x": np.arange(3)})
    assert (tmp_path / "victim").read_bytes() == b"mine"


def test_a_file_may_be_read_by_those_who_may_read_others(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write_arrays(tmp_path / "a.npz", {"x": np.arange(3)})
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.npz", "plain")]
    assert modes[0] == modes[1]

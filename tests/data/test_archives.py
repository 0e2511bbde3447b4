"""Arrays of any kind are read as they were written; test_network.py holds the rest."""

import os

import numpy as np
from helpers import refusal

from rnnbook.data import read_arrays, write_arrays


def test_arrays_of_any_kind_but_objects_are_written_and_read(tmp_path):
    path = tmp_path / "a.npz"
    arrays = {"x/y": np.arange(3), "text": np.array("é\n"), "none": np.zeros((0, 2))}
    write_arrays(path, arrays)
    found = read_arrays(str(path))
    np.testing.assert_equal(found, arrays)
    for bad in ([1], np.array([{}])):
        with refusal(TypeError, "arrays['x'] must be an array without Python objects, got "):
            write_arrays(path, {"x": bad})
    np.testing.assert_equal(read_arrays(path), arrays)


def test_what_a_killed_process_left_behind_is_in_nobodys_way(tmp_path):
    part = tmp_path / f".a.npz.{os.getpid()}.part"
    part.write_bytes(b"half a file")
    write_arrays(tmp_path / "a.npz", {"x": np.arange(3)})
    assert os.listdir(tmp_path) == ["a.npz"]

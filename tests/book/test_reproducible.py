"""The same sources give the same bytes, on another path too."""

from conftest import HTML


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_second_build_elsewhere_gives_the_same_bytes(second_build):
    first, second = contents(HTML), contents(second_build / "_build" / "html")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []

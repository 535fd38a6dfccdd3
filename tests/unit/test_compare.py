"""What two packages differ in, and what of it only follows from the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_deb import compare

FILES = {
    "DEBIAN/md5sums": "1 m.py\n",
    "site/m.py": "first\n",
    "site/__pycache__/m.cpython-39.pyc": "first\n",
    "site/other.py": "same\n",
    "site/m-1.dist-info/RECORD": "m.py,sha256=1,6\nother.py,sha256=9,5\nm-1.dist-info/RECORD,,\n",
}


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """The same files twice."""
    found = tmp_path / "first", tmp_path / "second"
    for tree in found:
        for name, text in FILES.items():
            change(tree, name, text)
    return found


def change(tree: Path, name: str, text: str) -> None:
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text(text)


def names(found: compare.Difference) -> list[str]:
    return [pair.name for pair in found.causes]


def test_the_same_has_no_difference(trees: tuple[Path, Path]) -> None:
    assert compare.files(*trees) == compare.Difference((), 0, ())


def test_bytecode_record_and_sums_follow_from_the_module(trees: tuple[Path, Path]) -> None:
    second = trees[1]
    change(second, "site/m.py", "secnd\n")
    change(second, "site/__pycache__/m.cpython-39.pyc", "secnd\n")
    change(
        second,
        "site/m-1.dist-info/RECORD",
        FILES["site/m-1.dist-info/RECORD"].replace("1,6", "2,6"),
    )
    change(second, "DEBIAN/md5sums", "2 m.py\n")
    found = compare.files(*trees)
    assert names(found) == ["site/m.py"]
    assert found.followers == 3


def test_bytecode_alone_is_a_cause(trees: tuple[Path, Path]) -> None:
    change(trees[1], "site/__pycache__/m.cpython-39.pyc", "secnd\n")
    assert names(compare.files(*trees)) == ["site/__pycache__/m.cpython-39.pyc"]


def test_a_record_that_lists_what_is_the_same_otherwise_is_a_cause(
    trees: tuple[Path, Path],
) -> None:
    name = "site/m-1.dist-info/RECORD"
    change(trees[1], name, FILES[name].replace("=9", "=8"))
    assert names(compare.files(*trees)) == [name]


def test_modes_links_and_what_is_missing_are_told(trees: tuple[Path, Path]) -> None:
    first, second = trees
    (first / "site/other.py").chmod(0o755)
    (second / "site/m.py").unlink()
    (first / "site/link").symlink_to("one")
    (second / "site/link").symlink_to("two")
    assert compare.files(*trees).lines == (
        "site/m.py: only in the first",
        "site/link: lrwxrwxrwx -> one and lrwxrwxrwx -> two",
        "site/other.py: -rwxr-xr-x and -rw-r--r--",
    )


def test_another_order_in_the_archive_is_told_when_nothing_else_is(
    trees: tuple[Path, Path],
) -> None:
    found = compare.files(*trees, (["a", "b"], ["b", "a"]))
    assert found.lines == ("the order or a time in the archive: a and b",)

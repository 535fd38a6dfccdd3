"""Random trees, cleaned, against a model."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_instance.clean_logs import sweep
from airflow_instance.clean_logs.level import Report
from airflow_instance.clean_logs.sweep import Sweep

from . import forest
from .conftest import as_user, new_place
from .forest import DAY, NOW, SECRET, Directory, cleaned, grown_at, plant, trees

# Creating trees takes what it takes.
MANY = settings(max_examples=200)
CUTOFFS = st.integers(1, 19)
# Few descriptors and few names make the rare ways of large trees the common ones.
FRUGAL = st.booleans()


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    before = sweep.KEPT_OPEN, sweep.NAMES, sweep._FEWEST
    yield
    sweep.KEPT_OPEN, sweep.NAMES, sweep._FEWEST = before


def clean(path: str, days: int, *, dry_run: bool = False, frugal: bool = False) -> Report:
    sweep.KEPT_OPEN, sweep.NAMES, sweep._FEWEST = (1, 2, 1) if frugal else (32, 65536, 16)
    fd = os.open(path, os.O_RDONLY)
    try:
        return Sweep(NOW - days * DAY, dry_run=dry_run).run(fd)
    finally:
        os.close(fd)


def planted(tree: Directory, place: str) -> str:
    os.mkdir(f"{place}/outside")
    with open(f"{place}/outside/file", "w", encoding="utf-8") as file:
        file.write(SECRET)
    os.utime(f"{place}/outside/file", (0, 0))
    os.utime(f"{place}/outside", (0, 0))
    plant(tree, f"{place}/logs")
    return f"{place}/logs"


def untouched(place: str) -> bool:
    with open(f"{place}/outside/file", encoding="utf-8") as file:
        return file.read() == SECRET and os.stat(f"{place}/outside").st_mtime == 0


@MANY
@given(trees(), CUTOFFS, FRUGAL)
def test_what_is_left_is_what_the_model_says(tree: Directory, days: int, frugal: bool) -> None:
    with new_place() as place, as_user():
        path = planted(tree, place)
        report = clean(path, days, frugal=frugal)
        expected, failed = cleaned(tree, days)
        assert grown_at(path) == expected
        assert report.failed == failed
        assert untouched(place)


@MANY
@given(trees(), CUTOFFS)
def test_nothing_newer_goes_and_nothing_is_made_newer(tree: Directory, days: int) -> None:
    """Independent of the model: whatever was young is there, as old as it was."""

    def young(node: Directory, path: str = "") -> set[tuple[str, int]]:
        found = set()
        for name, inner in node.entries.items():
            if inner.age <= days:
                found.add((f"{path}/{name}", inner.age))
            if isinstance(inner, Directory):
                found |= young(inner, f"{path}/{name}")
        return found

    with new_place() as place, as_user():
        path = planted(tree, place)
        clean(path, days)
        left = grown_at(path)
        assert young(tree) == young(left)


@MANY
@given(trees(), CUTOFFS, FRUGAL)
def test_a_dry_run_changes_nothing_and_counts_the_same(
    tree: Directory, days: int, frugal: bool
) -> None:
    open_only = with_mode(tree)
    with new_place() as place, as_user():
        path = planted(open_only, place)
        foretold = clean(path, days, dry_run=True, frugal=frugal)
        assert grown_at(path) == open_only
        done = clean(path, days, frugal=frugal)
        # A link to a directory that is only going to go still leads somewhere.
        if not any_link_to(open_only, "latest"):
            assert foretold == done


@MANY
@given(trees(), st.lists(CUTOFFS, max_size=4), CUTOFFS)
def test_cleaning_every_day_leaves_what_cleaning_once_does(
    tree: Directory, before: list[int], last: int
) -> None:
    """What we delete today does not make a directory outlive tomorrow."""
    earlier = sorted((days for days in before if days >= last), reverse=True)
    with new_place() as place, as_user():
        path = planted(tree, place)
        for days in [*earlier, last, last]:
            clean(path, days)
        assert grown_at(path) == cleaned(tree, last)[0]


def with_mode(tree: Directory, mode: int = forest.OPEN) -> Directory:
    entries = {
        name: with_mode(node, mode) if isinstance(node, Directory) else node
        for name, node in tree.entries.items()
    }
    return Directory(tree.age, mode, entries)


def any_link_to(tree: Directory, target: str) -> bool:
    return any(
        any_link_to(node, target) if isinstance(node, Directory) else node.target == target
        for node in tree.entries.values()
        if isinstance(node, (Directory, forest.Link))
    )

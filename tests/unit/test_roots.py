"""Debian roots: their keys, and what is said when one cannot be made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from airflow_deb import roots, versions
from airflow_deb.errors import BuildError, NetworkError

PROJECT = Path(__file__).resolve().parents[2]
SUITE = versions.load(PROJECT / "versions.sh").suites["bullseye"]


def test_the_key_is_of_what_is_asked_for_in_any_order() -> None:
    asked = roots.root(SUITE, "buildd", ["b", "a", "b"])
    assert asked == roots.root(SUITE, "buildd", ["a", "b"])
    others = [roots.root(SUITE, "buildd", ["a"]), roots.root(SUITE, "minbase", ["a", "b"])]
    assert len({asked.key, *(other.key for other in others)}) == 3


def test_another_mirror_is_another_root() -> None:
    archive = replace(SUITE, mirror="http://archive.example/debian")
    assert roots.root(archive, "buildd", []).key != roots.root(SUITE, "buildd", []).key


@pytest.mark.parametrize(
    "said",
    [
        "W: Failed to fetch http://mirror/dists/x/InRelease  Temporary failure resolving 'mirror'",
        "E: Could not connect to mirror:80 (192.0.2.1). - connect (111: Connection refused)",
    ],
)
def test_an_unreachable_mirror_is_the_networks_fault(said: str) -> None:
    error = roots.explained(BuildError("x", detail=said), "bullseye-buildd-1")
    assert isinstance(error, NetworkError)
    assert "set MIRROR" in str(error)


def test_a_package_that_is_not_there_is_not() -> None:
    error = roots.explained(BuildError("x", detail="E: Unable to locate package foo"), "r")
    assert isinstance(error, BuildError)
    assert "Unable to locate package foo" in error.detail

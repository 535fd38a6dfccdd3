"""Who needs whom, from the metadata of distributions."""

from __future__ import annotations

import pytest

from airflow_deb import requires


def found(requires_dist: dict[str, list[str]], *asked: str, python: str = "3.9") -> set[str]:
    edges = requires.edges(requires_dist, asked, python)
    return {f"{edge.by or '-'} {edge.requirement}" for edge in edges}


def test_from_what_is_asked_for_downwards() -> None:
    needs = {"a": ["b<2"], "b": ["C.d"], "c-d": [], "stray": ["a"]}
    assert found(needs, "a==1") == {"- a==1", "a b<2", "b C.d"}


def test_extras_count_where_somebody_asks_for_them() -> None:
    needs = {
        "a": ["b[x]", "c; extra == 'y'"],
        "b": ["d; extra == 'x'", "e; extra == 'z'"],
        "d": ["a[y]"],
    }
    assert {text.split()[1] for text in found(needs, "a")} == {"a", "b[x]", "d;", "a[y]", "c;"}


def test_markers_are_those_of_the_suites_python() -> None:
    needs = {"a": ["old; python_version < '3.10'", "new; python_version >= '3.10'"]}
    assert "a new" in str(found(needs, "a", python="3.11"))
    assert "old" in str(found(needs, "a")) and "new" not in str(found(needs, "a"))


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("pytz (>dev)", "pytz"),
        ("numpy (>=1.*); python_version > '3'", 'numpy; python_version > "3"'),
        ("odd (>=1); what_is_this == '3'", "odd"),
    ],
)
def test_lines_of_another_time(line: str, meant: str) -> None:
    assert found({"a": [line]}, "a") == {"- a", f"a {meant}"}

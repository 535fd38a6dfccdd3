"""Scenarios: what takes long and is looked at by several tests, run once, side by side.

A scenario is a function of the lab, in whatever module of this directory:

    @scenario("instances")                  # the scenarios it needs, by name
    def two_teams(lab: Lab) -> Teams:
        machine = lab.machine("two-teams", lab.result("instances"))
        …
        return Teams(…)

    def test_both_ran(two_teams: Teams) -> None: …

The decorator makes it a fixture of the same name, for the tests of that module;
conftest.py imports those that more modules use. All that the chosen tests need
start at once, in the background, so that one's waiting is another's working time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.host.lab import Lab

Task = Callable[["Lab"], Any]

SCENARIOS: dict[str, Task] = {}
NEEDS: dict[str, tuple[str, ...]] = {}


def scenario(*needs: str) -> Callable[[Task], Any]:
    """Register a function as a scenario that needs those called ``needs``."""

    def register(task: Task) -> Any:
        name = task.__name__
        assert name not in SCENARIOS, f"there are two scenarios called {name}"
        SCENARIOS[name], NEEDS[name] = task, needs

        @pytest.fixture(scope="session", name=name)
        def result(lab: Lab) -> Any:
            return lab.result(name)

        result.__doc__ = task.__doc__
        return result

    return register


def wanted(fixtures: Iterable[str]) -> dict[str, Task]:
    """The scenarios among the names ``fixtures``, each after all those it needs."""
    found: dict[str, Task] = {}

    def add(name: str) -> None:
        for needed in NEEDS[name]:
            add(needed)
        found.setdefault(name, SCENARIOS[name])

    for name in fixtures:
        if name in SCENARIOS:
            add(name)
    return found

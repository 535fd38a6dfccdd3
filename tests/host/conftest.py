"""Fixtures of the host tests: the lab, and the scenarios that several modules use.

A scenario of one test module's own is best written there (see registry.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import artifact, expected, tested
from tests.host.databases import attempts, databases
from tests.host.lab import Lab
from tests.host.life import packages
from tests.host.registry import wanted
from tests.host.removal import removal
from tests.host.scenarios import (
    installed,
    instances,
    pair,
    plain,
    postgresql,
    providers,
    services,
    sqlite,
)
from tests.host.turns import LAB, Turns

from airflow_deb import busy, log, paths

# pytest finds fixtures among this module's names.
__all__ = [
    "attempts",
    "databases",
    "installed",
    "instances",
    "packages",
    "pair",
    "plain",
    "postgresql",
    "providers",
    "removal",
    "services",
    "sqlite",
]

_TIMINGS = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Write down when the whole ring has passed; have modules take turns."""
    config.pluginmanager.register(tested.Ring(Path(__file__).parent))
    config.pluginmanager.register(Turns())


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Tell when each scenario had come to its end."""
    for line in config.stash.get(_TIMINGS, []):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def expectations(lab: Lab) -> dict[str, Any]:
    """What is particular to the version."""
    return lab.expected


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The lab with its scenarios under way; one session for each cell at a time."""
    found = artifact.find()
    places = paths.default()
    known = expected.load(Path(__file__).parent, found.cell.version.name)
    log.open_file(places.cache / "logs" / f"{found.cell.name}-host-tests.log")
    lock = places.run(f"tests/{found.cell.name}-host.lock")
    with busy.hold(lock, f"the host test of {found.cell.name}", wait=True):
        this = Lab(found, places, known)
        try:
            used = {n for item in request.session.items for n in getattr(item, "fixturenames", ())}
            this.start(wanted(used))
            request.config.stash[LAB] = this
            yield this
        finally:
            request.config.stash[_TIMINGS] = this.timings
            this.close()

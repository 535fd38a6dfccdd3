"""Fixtures of the host tests: the lab, and what each scenario gave.

All scenarios that the chosen tests need start at once, in the background, so
that one's waiting is another's working time; a test then asks for a result.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import artifact, expected
from tests.host.lab import Lab
from tests.host.removal import Removal
from tests.host.scenarios import NEEDS, SCENARIOS, Finished
from tests.host.site import Site

from airflow_deb import busy, log, paths
from airflow_deb.errors import AirflowDebError
from airflow_deb.machine import Machine

_TIMINGS = pytest.StashKey[list[str]]()


def wanted(items: list[pytest.Item]) -> set[str]:
    """The scenarios that the tests in ``items`` ask for, and those they need."""
    names = {name for item in items for name in getattr(item, "fixturenames", ())}
    found: set[str] = set()
    waiting = [name for name in names if name in SCENARIOS]
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting += NEEDS.get(name, ())
    return found


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Tell when each scenario had come to its end."""
    for line in config.stash.get(_TIMINGS, []):
        terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what a failed command printed, which is not in the error's message."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, AirflowDebError) and error.detail:
        report.sections.append(("the end of what it printed", error.detail))
    return report


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
            needed = wanted(request.session.items)
            this.start({name: task for name, task in SCENARIOS.items() if name in needed})
            yield this
        finally:
            request.config.stash[_TIMINGS] = this.timings
            this.close()


@pytest.fixture(scope="session")
def installed(lab: Lab) -> tuple[Path, ...]:
    """The layers with the package, those written last first."""
    layers: tuple[Path, ...] = lab.result("installed")
    return layers


@pytest.fixture(scope="session")
def plain(lab: Lab) -> Machine:
    """A machine with the package and nothing else."""
    machine: Machine = lab.result("plain")
    return machine


@pytest.fixture(scope="session")
def providers(lab: Lab) -> dict[str, Any]:
    """What became of importing every provider."""
    report: dict[str, Any] = lab.result("providers")
    return report


@pytest.fixture(scope="session")
def sqlite(lab: Lab) -> Finished:
    """A site on SQLite on which the example has run."""
    finished: Finished = lab.result("sqlite")
    return finished


@pytest.fixture(scope="session")
def postgresql(lab: Lab) -> Finished:
    """A site on PostgreSQL with scheduler and web server, on which the DAGs have run."""
    finished: Finished = lab.result("postgresql")
    return finished


@pytest.fixture(scope="session")
def celery(lab: Lab) -> Site:
    """A site whose Celery worker is ready."""
    site: Site = lab.result("celery")
    return site


@pytest.fixture(scope="session")
def removal(lab: Lab) -> Removal:
    """What was seen when the package was removed, purged and installed again."""
    seen: Removal = lab.result("removal")
    return seen

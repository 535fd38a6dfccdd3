"""Writes down that a ring of tests has passed, for `make matrix`.

The conftest.py of a ring registers a `Ring` for its directory. When a session
has run all of that directory's tests, and all have passed, a record appears
beside each package that was tested (airflow_deb/tested.py); else the session's
summary says why none does. A skipped test has not passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests import artifact

from airflow_deb import paths, tested
from airflow_deb.binary import BINARIES
from airflow_deb.errors import UsageError
from airflow_deb.record import Record


class Ring:
    """A pytest plugin that watches the tests in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.name = f"tests/{directory.name}"
        self.deselected = 0
        self.collected: set[str] = set()
        self.files: set[Path] = set()
        self.passed: set[str] = set()
        self.packages: list[Record] = []
        self.said = ""

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count what -k, -m, --lf and the like leave out."""
        self.deselected += len(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what is to run, and on which packages."""
        items = [item for item in session.items if item.path.is_relative_to(self.directory)]
        self.collected = {item.nodeid for item in items}
        self.files = {item.path for item in items}
        self.packages = _packages()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what has passed."""
        if report.when == "call" and report.passed:
            self.passed.add(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the records, or find out why not."""
        if not self.collected:
            return
        why = self._obstacle(session, exitstatus)
        if not why:
            self._save()
        self.said = f"{self.name}: not recorded: {why}" if why else f"{self.name}: recorded"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell what became of it."""
        if self.said:
            terminalreporter.write_line(self.said)

    def _obstacle(self, session: pytest.Session, exitstatus: int) -> str:
        """Why it cannot be said that the packages passed this ring; empty if it can."""
        missing = sorted(
            path.name for path in self.directory.rglob("test_*.py") if path not in self.files
        )
        left = self.collected - self.passed
        obstacles = (
            (exitstatus != 0, "the session did not pass"),
            (self.deselected, f"{self.deselected} tests were deselected"),
            (any("::" in word for word in session.config.args), "single tests were chosen"),
            (missing, f"no test ran of {', '.join(missing)}"),
            (left, f"{len(left)} did not pass, the first: {min(left, default='')}"),
            (not self.packages, "the packages were not built"),
            (self.packages != _packages(), "the packages were built anew meanwhile"),
        )
        return next((why for there, why in obstacles if there), "")

    def _save(self) -> None:
        dist = paths.default().dist
        for binary in BINARIES:
            found = artifact.find(binary)
            proof = tested.passed(found.record, self.directory.name, len(self.collected))
            tested.save(tested.path(dist, found.cell, binary), proof)


def _packages() -> list[Record]:
    """The records of both packages, none when they are not all there."""
    try:
        return [artifact.find(binary).record for binary in BINARIES]
    except UsageError:
        return []

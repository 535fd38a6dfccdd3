"""`make test-all`: `make test` and what it has no time for, then every cell of the matrix is
built and tested in turn, and then the upgrades from one to the next, and one cell without
a network.

Nothing ends it early: what fails is in the summary at the end, with what is not
locked and so could not be tried. The exit status is 1 when anything failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

from tests import gate
from tests.upgrade.pairs import PAIRS

from airflow_deb import log, paths, states, versions
from airflow_deb.errors import AirflowDebError
from airflow_deb.settings import Settings
from airflow_deb.states import State

# The second Airflows of the tests of two on one host.
_NAMED = tuple(("deb", f"VERSION={pair.version}", f"NAME={pair.name}") for pair in PAIRS)
# What the next run of make must not find: also what would choose a single cell.
_NOT_HANDED_DOWN = (*gate.NOT_HANDED_DOWN, "VERSION", "SUITE", "NAME", "SECURITY")


@dataclass(frozen=True)
class Part:
    """A line of the summary, and the calls of make it takes; none: it is not locked."""

    name: str
    calls: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Outcome:
    """How a part ended: ``passed``, ``not locked``, or which call failed; and its seconds."""

    name: str
    verdict: str
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether it counts against the whole."""
        return self.verdict.startswith("FAILED")


def parts(cells: Sequence[State], secure: Container[str] = ()) -> list[Part]:
    """All that is to be done, in turn; ``secure`` names the cells with a security lock."""
    found = [Part("make test", (("test",),)), Part("beside", (("test-beside", "VERSION=2.1.0"),))]
    for cell in cells:
        name = f"{cell.version} {cell.suite}"
        chosen = (f"VERSION={cell.version}", f"SUITE={cell.suite}")
        calls = (("deb", *chosen), ("test-cell", *chosen)) if cell.locked == "yes" else ()
        found.append(Part(name, calls))
        if name in secure:
            again = tuple((*call, "SECURITY=1") for call in calls)
            found.append(Part(f"{name} security", again))
    upgrades = Part("upgrades", (*_NAMED, ("test-upgrade",)))
    return [*found, upgrades, Part("offline", (("test-offline", "VERSION=2.1.0"),))]


def carry_out(work: Sequence[Part], make: Callable[[Sequence[str]], int]) -> list[Outcome]:
    """Do ``work``; a call of ``make`` that fails ends its own part alone."""
    found = []
    for part in work:
        started = time.monotonic()
        verdict = "passed" if part.calls else "not locked"
        for call in part.calls:
            log.info(f"\n=== make {' '.join(call)}")
            if status := make(call):
                verdict = f"FAILED: make {call[0]}, status {status}"
                break
        found.append(Outcome(part.name, verdict, time.monotonic() - started))
    return found


def summary(outcomes: Sequence[Outcome]) -> list[str]:
    """The lines that tell how all ended."""
    width = max(len(outcome.name) for outcome in outcomes)
    times = [log.duration(o.seconds) if o.verdict != "not locked" else "-" for o in outcomes]
    lines = [
        f"  {outcome.name:<{width}}  {taken:>12}  {outcome.verdict}"
        for outcome, taken in zip(outcomes, times, strict=True)
    ]
    failed = sum(outcome.failed for outcome in outcomes)
    return [*lines, f"{failed} of {len(outcomes)} failed" if failed else "nothing failed"]


def _make(words: Sequence[str]) -> int:
    env = {name: value for name, value in os.environ.items() if name not in _NOT_HANDED_DOWN}
    return subprocess.run(["make", *words], cwd=paths.PROJECT, env=env, check=False).returncode


def main() -> int:
    """Do it all; 1 when something failed."""
    places = paths.default()
    try:
        matrix = versions.load(places.versions_sh)
        cells = states.look(places, matrix, Settings())
    except AirflowDebError as error:
        print(f"airflow-deb: error: {error}", file=sys.stderr)
        return error.status
    secure = {
        f"{cell.version.name} {cell.suite.name}"
        for cell in matrix.cells()
        if (places.requirements / cell.version.name / f"{cell.suite.name}-security.lock").exists()
    }
    outcomes = carry_out(parts(cells, secure), _make)
    log.info("\n=== summary")
    for line in summary(outcomes):
        log.info(line)
    return int(any(outcome.failed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())

"""`make matrix`: the cells of versions.sh, and how far each of them is.

It only looks, at the checkout and at dist/: no root, no network, no hashing of
packages. So it is quick, and a CI can ask it what there is to build.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from . import lockfile, log, make, planning, record, tested
from .binary import AIRFLOW, BINARIES, Binary
from .errors import ConfigError, UsageError
from .paths import Paths
from .record import Record
from .settings import Settings
from .tested import Tested
from .versions import Cell, Matrix

_COLUMNS = (
    *("version", "suite", "python", "package", "locked", "built", "tested", "security"),
    *("size", "date"),
)


@dataclass(frozen=True, kw_only=True)
class State:
    """A cell and how far it is; the fields are those of FORMAT=json.

    ``package`` is the file name of its airflow, built or not. ``locked``: whether
    its lock is there and sound. ``built``: ``yes`` when `make deb` would have
    nothing to do, ``stale`` when it would, for the packages ``to_build``, though
    there is a ``package``, ``no`` when there is none. ``tested``: whether what is
    built, all of it, passed ``tested_ring``. ``size`` (bytes) and ``date`` are of
    the ``package`` that is there. Dates are UTC. ``problem`` is what is wrong with
    one of the cell's files. ``security`` is how far the same cell is with SECURITY=1:
    ``no`` (its lock is not there), ``locked``, ``stale``, ``built`` or ``tested``; none
    for a version without such a lock.
    """

    version: str
    suite: str
    python: str
    package: str
    locked: str
    built: str
    to_build: tuple[str, ...]
    tested: str
    tested_ring: str | None
    tested_date: str | None
    security: str | None
    size: int | None
    date: str | None
    problem: str | None


def look(paths: Paths, matrix: Matrix, settings: Settings) -> list[State]:
    """The state of every cell, or of those that VERSION and SUITE choose.

    As for `make deb`, FAST and COMPRESS are part of what is asked for. Raises
    UsageError for a version or suite that there is not.
    """
    return [_state(paths, matrix, cell, settings) for cell in _chosen(matrix, settings)]


def show(states: Sequence[State], form: str) -> None:
    """Print ``states``, as columns or (``json``) as a list of objects, alone on stdout."""
    for state in states:
        if state.problem:
            print(f"airflow-deb: {state.version}-{state.suite}: {state.problem}", file=sys.stderr)
    if form == "json":
        print(json.dumps([asdict(state) for state in states], indent=1))
        return
    rows = [[name.upper() for name in _COLUMNS], *map(_row, states)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _row(state: State) -> list[str]:
    day = f" {state.tested_date[:10]}" if state.tested_date else ""
    return [
        state.version,
        state.suite,
        state.python,
        state.package,
        state.locked,
        state.built,
        f"{state.tested}{day}",
        state.security or "-",
        "-" if state.size is None else log.size(state.size),
        state.date[:16].replace("T", " ") if state.date else "-",
    ]


def _chosen(matrix: Matrix, settings: Settings) -> list[Cell]:
    version, suite = settings.version, settings.suite
    if version:
        matrix.cell(version, suite)  # Its errors name what there is instead.
    found = [
        cell
        for cell in matrix.cells()
        if version in ("", cell.version.name) and suite in ("", cell.suite.name)
    ]
    if not found:
        raise UsageError(
            f"there is no cell on the suite {suite!r}",
            hint=f"write SUITE=, one of {', '.join(matrix.suites)}",
        )
    return found


def _state(paths: Paths, matrix: Matrix, cell: Cell, settings: Settings) -> State:
    lock = paths.requirements / cell.version.name / f"{cell.lock_name}.lock"
    problem: str | None = None
    done: dict[Binary, Record] = {}
    try:
        wanted = replace(settings, version=cell.version.name, suite=cell.suite.name)
        recipe = make.recipe(paths, matrix, replace(wanted, security=cell.security))
        locked = True
    except ConfigError as error:
        # That a version is declared before it is locked is nothing to complain of.
        problem = str(error) if lock.exists() else None
        locked = _loads(lock)
    else:
        for binary in BINARIES:
            if found := planning.current(paths, recipe, binary):
                done[binary] = found
    to_build = tuple(binary.name for binary in BINARIES if binary not in done)
    there = _there(paths, cell)
    proof = None if to_build else _proof(paths, cell, done)
    other = _other(paths, matrix, cell, settings)
    return State(
        version=cell.version.name,
        suite=cell.suite.name,
        python=cell.suite.python,
        package=f"{record.stem(cell, AIRFLOW)}.deb",
        locked=_yes(locked),
        built="stale" if there and to_build else _yes(there is not None),
        to_build=to_build,
        tested=_yes(proof is not None),
        tested_ring=proof.ring if proof else None,
        tested_date=proof.date if proof else None,
        security=_far(other) if other else None,
        size=there.files[there.package][1] if there else None,
        date=(there.date or None) if there else None,
        problem=problem or (other.problem if other else None),
    )


def _other(paths: Paths, matrix: Matrix, cell: Cell, settings: Settings) -> State | None:
    """The state of the same cell with its other lock, the one for SECURITY=1, if it has one."""
    if cell.security or cell.version.security is None:
        return None
    return _state(paths, matrix, replace(cell, security=True), settings)


def _far(state: State) -> str:
    """How far a cell is, in a word."""
    if state.tested == "yes":
        return "tested"
    if state.built != "no":
        return "built" if state.built == "yes" else "stale"
    return "locked" if state.locked == "yes" else "no"


def _there(paths: Paths, cell: Cell) -> Record | None:
    """The record of the cell's airflow, whatever it was built from, if its .deb is there."""
    where = record.path(paths.dist, cell, AIRFLOW)
    found = record.load(where)
    return found if found and (where.parent / found.package).is_file() else None


def _proof(paths: Paths, cell: Cell, built: Mapping[Binary, Record]) -> Tested | None:
    """That both packages passed; both, since a machine under test has both."""
    found = {
        binary: tested.current(tested.path(paths.dist, cell, binary), its)
        for binary, its in built.items()
    }
    return found[AIRFLOW] if all(found.values()) else None


def _loads(lock: Path) -> bool:
    try:
        lockfile.load(lock)
    except ConfigError:
        return False
    return True


def _yes(value: bool) -> str:
    return "yes" if value else "no"

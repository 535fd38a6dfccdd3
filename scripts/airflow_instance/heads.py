"""How an instance's database stands to the Airflow that is installed.

Airflow keeps in its database which of its migrations were run. Which there are is
read from the installation's files as text: nothing of it is imported, so that a
check may ask every minute.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import probe
from .errors import InstallationError
from .installation import Installation
from .instance import Instance
from .site import Site
from .versions import Migrations, table

FRESH = "fresh"  # there is nothing in it yet
CURRENT = "current"  # as the installation wants it
PENDING = "pending"  # migrations wait to be run
AHEAD = "ahead"  # it has migrations that the installation does not know
UNREACHABLE = "unreachable"

_ASSIGNED = re.compile(
    r"^(revision|down_revision)[ \t]*(?::[^=\n]*)?=[ \t]*(\([^)]*\)|\[[^\]]*\]|[^\n#]+)", re.M
)


@dataclass(frozen=True)
class Schema:
    """What was found. ``reason`` is why nothing was, when the database is unreachable.

    ``found`` are the revisions in the database, ``wanted`` those it should have.
    """

    state: str
    found: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Revisions:
    """The migrations of one directory; ``heads`` are those that none follows."""

    known: frozenset[str]
    heads: frozenset[str]


def state(site: Site, instance: Instance, timeout: float = 10) -> Schema:
    """How the database of ``instance`` is; ``timeout`` is in seconds.

    Raises what `probe.ask` raises, and InstallationError when the installation has
    no migrations.
    """
    asked = queries(instance)
    return judge(instance, probe.ask(site, instance.name, instance.installation, asked, timeout))


def queries(instance: Instance) -> Mapping[str, str]:
    """The questions that `judge` needs answers to, for `probe.ask`."""
    return {
        row.table: f"SELECT version_num FROM {row.table}"  # noqa: S608 - the table's own name
        for row in table().migrations_of(instance.installation.version, instance.conditions)
    }


def judge(instance: Instance, answer: probe.Answer) -> Schema:
    """What the answers to `queries` say.

    Raises InstallationError when the installation has no migrations.
    """
    if answer.unreachable:
        return Schema(UNREACHABLE, reason=answer.unreachable)
    states: list[str] = []
    found: list[str] = []
    wanted: list[str] = []
    for row in table().migrations_of(instance.installation.version, instance.conditions):
        if row.table in answer.errors and row.table not in answer.missing:
            return Schema(UNREACHABLE, reason=answer.errors[row.table])
        ours = revisions(instance.installation, row)
        have = frozenset(str(line[0]) for line in answer.rows.get(row.table, ()))
        found += sorted(have)
        wanted += sorted(ours.heads)
        states.append(_compare(ours, have))
    if states[0] == FRESH:
        return Schema(FRESH, (), tuple(wanted))
    # What another component never wrote is to be written by the next migration.
    worst = AHEAD if AHEAD in states else CURRENT if set(states) == {CURRENT} else PENDING
    return Schema(worst, tuple(found), tuple(wanted))


def _compare(ours: Revisions, have: frozenset[str]) -> str:
    if not have:
        return FRESH if ours.heads else CURRENT
    if have - ours.known:
        return AHEAD
    return CURRENT if have == ours.heads else PENDING


@functools.lru_cache(maxsize=16)
def revisions(installation: Installation, row: Migrations) -> Revisions:
    """The migrations that an installation has; those of a missing provider are none.

    Raises InstallationError when Airflow itself has none.
    """
    known, followed = _read(installation.packages / row.directory)
    if not known and not row.optional:
        raise InstallationError(
            f"{installation.packages / row.directory} has no migrations",
            hint="reinstall the package",
        )
    return Revisions(frozenset(known), frozenset(known - followed))


def known_in(directory: Path) -> frozenset[str]:
    """The revisions of the migrations in a directory."""
    return frozenset(_read(directory)[0])


def _read(directory: Path) -> tuple[set[str], set[str]]:
    """The revisions of a directory's migrations, and those that another one follows."""
    known: set[str] = set()
    followed: set[str] = set()
    for path in directory.glob("*.py"):
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        for name, value in _ASSIGNED.findall(text):
            words = _words(value)
            (known if name == "revision" else followed).update(words)
    return known, followed


def _words(text: str) -> tuple[str, ...]:
    """The revisions in the value of an assignment."""
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(map(str, value)) if isinstance(value, (tuple, list)) else ()

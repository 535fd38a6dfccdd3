"""Questions to an instance's database, answered without starting Airflow.

A child with the service user's rights asks (inside/ask_database.py), on the
installation's Python, which has the drivers. It costs a tenth of a second, where
any airflow command costs several.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import asuser, launch
from .errors import HostError
from .installation import Installation
from .site import Site
from .versions import table

_SCRIPT = Path(__file__).resolve().parent / "inside" / "ask_database.py"

Rows = Sequence[Sequence[object]]


@dataclass(frozen=True)
class Answer:
    """What the database said. ``unreachable`` is why it said nothing, else "".

    ``rows`` by the name of the query; a query that failed, because its table is not
    there for one, is in ``errors`` instead; ``missing`` are those whose table is not.
    """

    unreachable: str = ""
    rows: Mapping[str, Rows] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()


def ask(
    site: Site,
    name: str,
    installation: Installation,
    queries: Mapping[str, str],
    timeout: float = 10,
) -> Answer:
    """Ask the database of the instance ``name``; ``timeout`` is in seconds.

    Raises what `launch.plan` raises, and HostError when the child broke off.
    """
    command, text = question(installation, queries, timeout)
    planned = launch.plan(site, name, command, ["airflow-instance", "check", name])
    # Connecting has the time limit; the rest of it is for a server that hangs.
    done = asuser.run(site, planned, text=text, timeout=timeout + 5)
    if done.status == asuser.TIMED_OUT:
        return Answer(unreachable=f"no answer in {timeout + 5:g} s")
    if done.status != 0:
        raise HostError(f"{name}: the database could not be asked: {done.last_words}")
    return answer(done.out)


def question(
    installation: Installation, queries: Mapping[str, str], timeout: float
) -> tuple[list[str], str]:
    """The command that asks, for the service user, and what it has to read."""
    options = table().spellings("database_url", installation.version)
    request = {"options": options, "timeout": timeout, "queries": dict(queries)}
    return [f"{installation.bin_dir}/python", "-I", str(_SCRIPT)], json.dumps(request)


def answer(text: str) -> Answer:
    """What that command has printed."""
    said = json.loads(text)
    return Answer(
        said.get("unreachable", ""),
        said.get("rows", {}),
        said.get("errors", {}),
        frozenset(said.get("missing", ())),
    )


def moment(value: object) -> datetime.datetime:
    """A time stamp of the database, which Airflow keeps in UTC, with its zone.

    >>> moment("2021-05-21 12:00:00.123456").isoformat()
    '2021-05-21T12:00:00.123456+00:00'
    """
    text = str(value).replace(" ", "T", 1)
    head, plus, zone = text.partition("+")
    if plus and len(zone) == 2:
        zone += ":00"
    stamp = datetime.datetime.fromisoformat(head + plus + zone)
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=datetime.timezone.utc)

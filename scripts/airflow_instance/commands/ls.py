"""airflow-instance ls."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence

from .. import declaration, former, heads, held, ports, units
from ..errors import InstanceError
from ..health import target
from ..health.look import look
from ..installation import find as find_installation
from ..layout import DEFAULT_INSTALLATION
from ..parameters import expand
from ..site import Site
from ..units import State
from . import Command
from .common import warn

COLUMNS = ("name", "version", "user", "port", "status", "home")
# And, where one is not the default, which Airflow that is.
INSTALLATION = "installation"
_ANSWER_TIME = 5.0  # seconds that a database has

States = Mapping[str, State]
Fact = Callable[[Site, str, States], Sequence[str]]


def online(site: Site, name: str, states: States) -> Sequence[str]:
    """online: all of its daemons are up; degraded: some; down: none."""
    own = [states.get(unit, State(unit)) for unit in units.applied(site.tree, name)]
    return [units.summary(own)]


def waiting(site: Site, name: str, states: States) -> Sequence[str]:
    """held: stopped when it got another Airflow; migration_pending: not migrated since."""
    words = ["held"] if held.recall(site, name) else []
    return [*words, "migration_pending"] if former.of_database(site.tree, name) else words


def database(site: Site, name: str) -> Sequence[str]:
    """migration_pending, or what else there is to say of its database."""
    words = {
        heads.FRESH: ["not_initialised"],
        heads.PENDING: ["migration_pending"],
        heads.AHEAD: ["database_newer"],
        heads.UNREACHABLE: ["database_unreachable"],
    }
    try:
        instance = site.view(site.as_applied(site.load(name, secrets=False)))
        return words.get(heads.state(site, instance, timeout=_ANSWER_TIME).state, [])
    except InstanceError:
        return ["database_not_asked"]


def heartbeats(site: Site, name: str) -> Sequence[str]:
    """scheduler_stale: it runs, and has not beaten here for too long; others alike."""
    try:
        asked = target.load(site.layout, name)
        findings, _ = look(site.layout, asked, "airflow-instance ls --check", timeout=_ANSWER_TIME)
    except InstanceError:
        return []  # `check` says why
    stale = [finding.sick for finding in findings if finding.check == "heartbeat"]
    return [f"{daemon.replace('-', '_')}_stale" for daemon in stale if daemon]


# Extension points: each function adds words to the status column, as in
# "down,migration_pending". FACTS must be cheap and must not raise; CHECKS ask.
FACTS: tuple[Fact, ...] = (online, waiting)
CHECKS: tuple[Callable[[Site, str], Sequence[str]], ...] = (database, heartbeats)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="Print JSON for scripts.")
    parser.add_argument("--no-header", action="store_true", help="Leave the heading out.")
    parser.add_argument(
        "--check",
        action="store_true",
        help="Ask the databases, too: are they there and migrated, and do the daemons beat?",
    )


def row(site: Site, name: str, states: States, *, check: bool = False) -> dict[str, object]:
    """What is known of one instance; ``error`` says why the rest is not."""
    found: dict[str, object] = dict.fromkeys((*COLUMNS, INSTALLATION))
    found.update(name=name, status=["invalid"], error=None)
    try:
        declared = site.load(name, secrets=False)
        if declared.absent:
            found["status"] = ["absent"]
            return found
        parameters, _ = expand(declared, site.facts)
        found["user"] = parameters[("service_user",)].value
        found["home"] = parameters[("airflow_home",)].value
        found[INSTALLATION] = parameters[(INSTALLATION,)].value
        words = [word for fact in FACTS for word in fact(site, name, states)]
        mode = str(parameters[("start",)].value)
        words += [mode] if mode != "auto" else []
        words += [word for ask in CHECKS for word in ask(site, name)] if check else []
        found["status"] = list(dict.fromkeys(words))
        allocated = ports.load(site.layout, name)
        claims = ports.claims(name, declared.leaves, allocated, "")
        found["port"] = next((claim.port for claim in claims if claim.slot == "web"), None)
        install = find_installation(site.layout, str(parameters[(INSTALLATION,)].value))
        found["version"] = str(install.version)
    except InstanceError as error:
        found["error"] = error.lines()[0]
    return found


def run(site: Site, args: argparse.Namespace) -> int:
    names, problems, warnings = declaration.listed(site.layout)
    # One question for all: systemd is asked once however many there are.
    states = site.host.listed("airflow-*@*.service")
    rows = [row(site, name, states, check=args.check) for name in names]
    warn([*warnings, *map(str, problems)])
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    warn(str(entry["error"]) for entry in rows if entry["error"])
    elsewhere = any(row[INSTALLATION] not in (None, DEFAULT_INSTALLATION) for row in rows)
    columns = (*COLUMNS, INSTALLATION) if elsewhere else COLUMNS
    lines = [[_cell(entry, column) for column in columns] for entry in rows]
    if not args.no_header:
        lines.insert(0, [column.upper() for column in columns])
    widths = [max(map(len, cells)) for cells in zip(*lines)]
    for line in lines:
        padded = [cell.ljust(width) for cell, width in zip(line, widths)]
        padded[4] = _coloured(padded[4])
        print("  ".join(padded).rstrip())
    return 0


def _cell(entry: Mapping[str, object], column: str) -> str:
    value = entry[column]
    if isinstance(value, list):
        return ",".join(value)
    return "-" if value is None else str(value)


def _coloured(cell: str) -> str:
    if not sys.stdout.isatty() or cell.strip() == "STATUS":
        return cell
    return f"\033[{'32' if cell.strip() == 'online' else '31'}m{cell}\033[0m"


COMMAND = Command(
    name="ls",
    help="list the instances that are declared",
    description="Prints one line per instance: name, version of Airflow, user, port of the web "
    "UI, status and home; and, when not all are in /usr/lib/airflow, the installation that each "
    "runs. The status is words with commas between: online, degraded (not all "
    "daemons are up) or down; manual or disabled, unless it is started with the host; held, when "
    "it was stopped for another Airflow; migration_pending, when it has got one and was not "
    "migrated since; absent; invalid. With --check, which is for root, databases are asked, too: "
    "not_initialised, migration_pending, database_newer, database_unreachable, "
    "database_not_asked, and scheduler_stale (and alike) for a daemon that runs and does not "
    "beat. Anyone may use it.",
    arguments=arguments,
    run=run,
    examples=(("airflow-instance ls --json", "for scripts"),),
)

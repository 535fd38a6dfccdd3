"""airflow-instance status."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence

from .. import heads, held, probe, quoting, running, units
from ..errors import InstanceError, PrivilegeError
from ..instance import Instance
from ..layout import elsewhere, unit
from ..site import Site
from . import Command
from .common import add_name

NOT_RUNNING = 3  # as systemctl status has it

_TASKS = "SELECT COUNT(*) FROM task_instance WHERE state = 'running'"
_COLUMNS = ("daemon", "state", "since", "pid", "memory", "restarts", "port")


def arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument("--json", action="store_true", help="Print JSON for scripts.")


def database(site: Site, instance: Instance) -> dict[str, object]:
    """How its database is, and how many tasks run; ``error`` when that cannot be told."""
    found: dict[str, object] = dict.fromkeys(("schema", "running_tasks", "error"))
    try:
        asked = {**heads.queries(instance), "tasks": _TASKS}
        answer = probe.ask(site, instance.name, instance.installation, asked)
        schema = heads.judge(instance, answer)
        found["schema"] = schema.state
        found["error"] = schema.reason or None
        rows = answer.rows.get("tasks", ())
        found["running_tasks"] = int(str(rows[0][0])) if rows else None
    except PrivilegeError:
        found["error"] = f"only root and {instance.user} may ask it"
    except InstanceError as error:
        found["error"] = error.message
    return found


def daemons(site: Site, instance: Instance) -> list[dict[str, object]]:
    """A row for each daemon."""
    states = site.host.states(units.of(instance))
    found = []
    for daemon in instance.daemons:
        name = unit(daemon.name, instance.name)
        state = states.get(name, units.State(name))
        found.append(
            {
                "daemon": daemon.name,
                "unit": name,
                "active": state.active,
                "sub": state.sub,
                "runs": state.runs,
                "since": _time(state.since) if state.runs else None,
                "pid": state.pid or None,
                "memory": state.memory or None,
                "restarts": state.restarts,
                "port": instance.ports.get(daemon.port) if daemon.port else None,
            }
        )
    return found


def _time(stamp: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(stamp))


def run(site: Site, args: argparse.Namespace) -> int:
    instance = running.view(site, args.name)
    rows = daemons(site, instance)
    states = [units.State(str(row["unit"]), str(row["active"])) for row in rows]
    waiting = held.recall(site, instance.name)
    found = {
        "name": instance.name,
        "status": units.summary(states),
        "start": instance.parameter("start"),
        "version": str(instance.installation.version),
        "installation": instance.installation.prefix,
        "user": instance.user,
        "url": instance.option("base_url"),
        "database": {"kind": instance.database.kind, **database(site, instance)},
        "held": list(waiting.units) if waiting else [],
        "daemons": rows,
    }
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        _print(found, rows)
    return 0 if all(row["runs"] for row in rows) else NOT_RUNNING


def _print(found: Mapping[str, object], rows: Sequence[Mapping[str, object]]) -> None:
    print(
        f"{found['name']}: {found['status']}, start: {found['start']}, "
        f"Airflow {found['version']}{elsewhere(str(found['installation']))}, "
        f"user {found['user']}, {found['url']}"
    )
    said = found["database"]
    assert isinstance(said, dict)
    facts = [str(said["kind"]), str(said["schema"] or "not asked")]
    if said["running_tasks"] is not None:
        facts.append(f"tasks running: {said['running_tasks']}")
    if said["error"]:
        facts.append(quoting.plain(str(said["error"])))
    print(f"database: {', '.join(facts)}")
    if found["held"]:
        print("stopped for another Airflow; airflow-instance start or migrate starts it again")
    lines = [[word.upper() for word in _COLUMNS]]
    for row in rows:
        shown = {
            **row,
            "state": f"{row['active']} ({row['sub']})",
            "memory": _size(row["memory"]),
        }
        lines.append(["-" if shown[c] is None else str(shown[c]) for c in _COLUMNS])
    widths = [max(map(len, cells)) for cells in zip(*lines)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def _size(number: object) -> str | None:
    return None if number is None else f"{int(str(number)) / 2**20:.0f}M"


COMMAND = Command(
    name="status",
    help="show how an instance's daemons and its database are",
    description="Prints for each daemon its state, since when, process, memory, restarts by "
    "systemd and port; and how the database stands to the installation, and how many tasks run. "
    "Exit status 0: all daemons run; 3: not all do, as systemctl status has it. Only root and "
    "the instance's user can have the database asked.",
    arguments=arguments,
    run=run,
    examples=(("airflow-instance status analytics --json", "for scripts"),),
)

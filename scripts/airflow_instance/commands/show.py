"""airflow-instance show."""

from __future__ import annotations

import argparse
import json
import os

from .. import keys, secrecy
from ..errors import AlreadyError
from ..instance import Instance
from ..site import Site
from ..versions import table
from . import Command
from .common import add_name, warn


def arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument("--json", action="store_true", help="Print JSON for scripts.")
    parser.add_argument(
        "--fingerprints",
        action="store_true",
        help="Print fingerprints of the keys instead. Hosts of one instance must have the same; "
        "the keys cannot be found from them. Needs root.",
    )


def fingerprints(instance: Instance) -> dict[str, str]:
    """What to compare between hosts: of each key, and of each of several fernet keys."""
    found = {}
    for row in table().settings:
        value = instance.option(row.purpose) if row.generate else ""
        if value:
            parts = [keys.fingerprint(row.purpose, part) for part in value.split(",")]
            found[row.purpose] = ",".join(parts)
    return found


def settings(instance: Instance) -> list[tuple[str, object, str]]:
    """Key, masked value and origin of everything that is in force."""
    rows: list[tuple[str, object, str]] = []
    for path, leaf in sorted(instance.parameters.items()):
        if path[0] not in ("airflow_config", "ports"):
            rows.append((".".join(path), secrecy.masked(path, leaf.value), leaf.origin))
    fixed = {path[1]: leaf for path, leaf in instance.parameters.items() if path[0] == "ports"}
    for slot, port in instance.ports.items():
        origin = fixed[slot].origin if slot in fixed else "ports.d"
        rows.append((f"ports.{slot}", port, origin))
    for (section, key), leaf in sorted(instance.config.items()):
        value = secrecy.masked(("airflow_config", section, key), leaf.value)
        rows.append((f"airflow_config.{section}.{key}", value, leaf.origin))
    return rows


def run(site: Site, args: argparse.Namespace) -> int:
    declared = site.load(args.name, secrets=os.geteuid() == 0 or site.layout.alternate)
    if declared.absent:
        raise AlreadyError(f"{args.name} is declared absent")
    instance = site.view(declared)
    warn(instance.warnings)
    if not declared.complete:
        warn(["secrets and generated keys are left out: only root may read them"])
    if args.fingerprints:
        found = fingerprints(instance)
        lines = [f"{purpose} {text}" for purpose, text in found.items()]
        print(json.dumps(found, indent=2) if args.json else "\n".join(lines))
        return 0
    rows = settings(instance)
    if args.json:
        data = {
            "name": instance.name,
            "version": str(instance.installation.version),
            "daemons": [daemon.name for daemon in instance.daemons],
            "settings": {key: {"value": value, "origin": origin} for key, value, origin in rows},
        }
        print(json.dumps(data, indent=2, default=str))
        return 0
    print(f"# {instance.name}: Airflow {instance.installation.version}")
    width = min(max(len(f"{key} = {value}") for key, value, _ in rows), 70)
    for key, value, origin in rows:
        print(f"{f'{key} = {value}':<{width}}  # {origin}")
    return 0


COMMAND = Command(
    name="show",
    help="show what is in force for an instance, and where each value comes from",
    description="Prints every parameter and every option of airflow.cfg with the file and line, "
    "or the default, that it comes from. Secrets are masked. Anyone may use it; what only root "
    "may read is left out for others.",
    arguments=arguments,
    run=run,
    root=lambda args: bool(args.fingerprints),
    examples=(
        ("airflow-instance show analytics", ""),
        ("airflow-instance show analytics --fingerprints", "to compare with another host"),
    ),
)

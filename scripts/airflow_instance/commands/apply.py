"""airflow-instance apply."""

from __future__ import annotations

import argparse

from .. import moving
from ..engine import locked
from ..site import Site
from . import Command, always
from .common import add_preview, carry_out, warn


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*", help="The instances; all by default.")
    add_preview(parser)
    parser.add_argument(
        "--detailed-exitcode",
        action="store_true",
        help="Exit with 2 when nothing had to be changed, for scripts that want to know.",
    )


def run(site: Site, args: argparse.Namespace) -> int:
    with locked(site.layout):
        plans, warnings = moving.plan(site, args.names)
        warn([*warnings, *(w for plan in plans for w in plan.warnings)])
        carry_out(site, plans, args)
    changed = any(plan.changes for plan in plans)
    return 2 if args.detailed_exitcode and not changed else 0


COMMAND = Command(
    name="apply",
    help="make the host as it is declared",
    description="Reads the declarations, checks all of them, and changes what is not as they "
    "say: accounts, directories, files, links and units. Only daemons that a change concerns, "
    "and that are running, are restarted. An instance that goes to another installation is "
    "stopped first; it is started again unless its database has to be migrated, by "
    "airflow-instance migrate, which starts it then. A second run changes nothing. When one of the "
    "declarations asked for is malformed, nothing is changed.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(
        ("airflow-instance apply --dry-run --diff", "what would change, and how"),
        ("airflow-instance apply analytics", "one instance only"),
    ),
)

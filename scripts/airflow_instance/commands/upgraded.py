"""airflow-instance upgraded.

Called by the package's maintainer script when an Airflow was installed, upgraded or
removed; it may be called by hand at any time, and does nothing then.
"""

from __future__ import annotations

import argparse

from .. import held, transition
from ..engine import locked
from ..site import Site
from . import Command, always


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--removing",
        metavar="DIR",
        nargs="?",
        const="",
        help="An installation is about to be removed, that in DIR or all: stop what runs from it, "
        "and wait for that.",
    )


def run(site: Site, args: argparse.Namespace) -> int:
    with locked(site.layout):
        if args.removing is None:
            said = transition.after_upgrade(site)
        else:
            said = held.before_removal(site, args.removing)
        for line in said:
            print(line)
    return 0


COMMAND = Command(
    name="upgraded",
    help="bring running instances in line with the Airflow that is installed now",
    description="Called when an Airflow was installed, upgraded or removed. Instances whose files "
    "are of another version are rendered anew. Daemons that run an "
    "older one are restarted. When their database has to be migrated first, or there is no "
    "Airflow any more, they are stopped, and started again by airflow-instance migrate, or when "
    "it is back. Migrates nothing, and waits for no daemon but with --removing.",
    arguments=arguments,
    run=run,
    root=always,
)

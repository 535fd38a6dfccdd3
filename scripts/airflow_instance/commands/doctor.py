"""airflow-instance doctor."""

from __future__ import annotations

import argparse
import json

from .. import doctor
from ..site import Site
from . import Command, always


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*", help="The instances; all by default.")
    parser.add_argument("--json", action="store_true", help="Print JSON for scripts.")


def run(site: Site, args: argparse.Namespace) -> int:
    findings = doctor.examine(site, args.names)
    if args.json:
        print(json.dumps([finding.as_dict() for finding in findings], indent=2))
    else:
        for finding in findings:
            print(finding.line())
        if not findings:
            print("nothing is wrong")
    return 1 if findings else 0


COMMAND = Command(
    name="doctor",
    help="find out what is wrong, and how to mend it",
    description="Examines modes and owners, users, ports, the clock, keytab, database, disks, "
    "versions, the environment, running daemons, keys, and leftovers of instances that are "
    "gone. Each finding is followed by the command that mends it. Nothing is changed. Exit "
    "status: 0 when nothing is wrong, 1 when there is a finding, be it an error or a warning. "
    "Whether an instance lives at this moment is what airflow-instance check says.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(
        ("airflow-instance doctor", "the host, and every instance"),
        ("airflow-instance doctor analytics --json", ""),
    ),
)

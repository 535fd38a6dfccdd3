"""airflow-instance check: a monitoring plugin."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from typing import TYPE_CHECKING

from ..errors import InstanceError
from ..health import report, rules, target
from ..health.look import TIMEOUT, look
from ..layout import Layout
from . import Command

if TYPE_CHECKING:
    from ..site import Site


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="The instance.")
    parser.add_argument(
        "--all",
        action="store_true",
        help="Check every instance, one line each; the exit status is the worst one's.",
    )
    parser.add_argument("--json", action="store_true", help="Print JSON for scripts, one per line.")
    for level in ("warning", "critical"):
        parser.add_argument(
            f"--{level}",
            metavar="NAME=NUMBER",
            action="append",
            default=[],
            type=_limit,
            help=f"When a number is {level}: {', '.join(rules.LIMITS)}; in seconds, or in per "
            "cent that are free.",
        )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=TIMEOUT,
        help=f"How long to wait for each of database and web server; default {TIMEOUT:g}.",
    )


def _limit(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    if name not in rules.LIMITS:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(rules.LIMITS)}")
    try:
        return name, float(number)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{number!r} is no number") from error


def light(layout: Layout, args: argparse.Namespace) -> int:
    if (args.name is None) is not args.all:
        print(report.unknown("", "which instance? NAME, or --all"))
        return rules.UNKNOWN
    try:
        names = _all(layout) if args.all else [args.name]
    except (InstanceError, OSError) as error:
        print(report.unknown("", str(error)))
        return rules.UNKNOWN
    if not names:
        print(f"AIRFLOW {rules.WORDS[rules.OK]}: there are no instances")
    return rules.worst([_one(layout, name, args) for name in names])


def _one(layout: Layout, name: str, args: argparse.Namespace) -> int:
    limits = dict(rules.LIMITS)
    for level in ("warning", "critical"):
        for key, number in getattr(args, level):
            limits[key] = limits[key]._replace(**{level: number})
    typed = shlex.join(["airflow-instance", *sys.argv[1:]])
    try:
        found = target.load(layout, name)
        if found.monitored:
            findings, _ = look(layout, found, typed, limits=limits, timeout=args.timeout)
        else:
            findings = [rules.Finding("monitoring", rules.OK, "not monitored, as declared")]
    except InstanceError as error:
        findings = [rules.Finding("check", rules.UNKNOWN, " ".join(error.lines()))]
    except Exception as error:
        # A plugin that breaks says UNKNOWN; a traceback would be read as who knows what.
        text = f"the check itself failed: {type(error).__name__}: {error}"
        findings = [rules.Finding("check", rules.UNKNOWN, text)]
    print(report.as_json(name, findings) if args.json else report.line(name, findings))
    return rules.worst([finding.status for finding in findings])


def _all(layout: Layout) -> list[str]:
    """The instances that were applied, and those that should have been."""
    applied = target.applied(layout)
    try:
        files = os.listdir(layout.instances_dir)
    except FileNotFoundError:
        files = []
    rest = {file[: -len(".yaml")] for file in files if file.endswith(".yaml")} - set(applied)
    if not rest:
        return applied
    from .. import declaration  # only now: it is most of the cost

    found = []
    for name in rest:
        try:
            absent = declaration.load(layout, name, secrets=False).absent
        except InstanceError:
            absent = False
        found += [] if absent else [name]
    return sorted([*applied, *found])


def run(site: Site, args: argparse.Namespace) -> int:
    return light(site.layout, args)


COMMAND = Command(
    name="check",
    help="check an instance, as a monitoring plugin does",
    description="Prints one line with a status, what is wrong, and numbers for graphs. The exit "
    "status is that of monitoring plugins, not this tool's: 0 OK, 1 WARNING, 2 CRITICAL, "
    "3 UNKNOWN. It looks at the units, the database and its revision, the heartbeats of this "
    "host's daemons (another live scheduler elsewhere does not count), the web server's health "
    "page, the Kerberos ticket, and the space on the disks. What was applied is checked, "
    "without starting Airflow. An instance with start: manual or disabled that is stopped is "
    "OK, one with start: auto is CRITICAL; one with monitoring_enabled: false is OK unseen. "
    "For root and the service user.",
    arguments=arguments,
    run=run,
    light=light,
    usage_status=rules.UNKNOWN,
    examples=(
        ("airflow-instance check analytics", ""),
        ("airflow-instance check --all --warning disk_free=20", "for one service of Nagios"),
    ),
)

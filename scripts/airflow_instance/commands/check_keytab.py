"""airflow-instance check-keytab."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from dataclasses import asdict, replace
from types import FrameType
from typing import NoReturn

from .. import kerberos, keytab_check, launch
from ..errors import InstanceError, Problems
from ..kerberos import ERROR
from ..site import Site
from . import Command
from .common import add_name, warn


def arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument(
        "--no-kdc", action="store_true", help="Do not try the key; only look at the file."
    )
    parser.add_argument("--json", action="store_true", help="Print JSON for scripts.")


def run(site: Site, args: argparse.Namespace) -> int:
    settings = kerberos.settings(site, args.name)
    if settings is None:
        raise InstanceError(
            f"{args.name} does not use Kerberos",
            hint=f"airflow-instance set {args.name} airflow_config.core.security=kerberos --apply",
        )
    planned = kerberos.plan(site, args.name)
    if os.geteuid() == 0 and not site.layout.alternate:
        options = {"--no-kdc": args.no_kdc, "--json": args.json}
        words = ["check-keytab", args.name, *(word for word, given in options.items() if given)]
        launch.go(site, replace(planned, arguments=kerberos.again(words)))
    # Being ended, it still takes the trial ticket away.
    signal.signal(signal.SIGTERM, _end)
    report = keytab_check.examine(site, settings, planned, ask_kdc=not args.no_kdc)
    errors = [found for found in report.findings if found.level == ERROR]
    if args.json:
        found = [asdict(finding) for finding in report.findings]
        print(json.dumps({"findings": found, "summary": report.summary}, indent=2))
        return 1 if errors else 0
    warn(f"{f.text}; {f.hint}" for f in report.findings if f.level != ERROR)
    if errors:
        raise Problems([InstanceError(f.text, hint=f.hint) for f in errors])
    print(report.summary)
    return 0


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


COMMAND = Command(
    name="check-keytab",
    help="check the Kerberos keytab of an instance, as its user",
    description="Looks whether the keytab is there, whether the service user alone can read it "
    "and whether it has a key of the configured principal; then gets a ticket with it and throws "
    "that away, so that an old key is found. A KDC that does not answer is a warning. "
    "airflow-kerberos@NAME does this before it starts.",
    arguments=arguments,
    run=run,
    examples=(("airflow-instance check-keytab analytics", "after a new keytab was put in place"),),
)

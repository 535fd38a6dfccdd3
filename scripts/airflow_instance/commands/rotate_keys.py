"""airflow-instance rotate-keys."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .. import keys, moving, names, rotation, standstill
from ..changes import Change, Systemctl, WriteFile
from ..engine import Engine, locked
from ..errors import AlreadyError, ConflictError, UsageError
from ..instance import Instance
from ..rotation import FERNET
from ..site import Site
from . import Command, always
from .common import add_name, warn


def arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument(
        "--fernet",
        action="store_true",
        help="Replace the key that connections and variables are encrypted with, "
        "and encrypt them anew.",
    )
    parser.add_argument(
        "--secret",
        action="store_true",
        help="Replace the keys that sign sessions and tokens. Everyone is logged out.",
    )
    parser.add_argument(
        "--stop",
        action="store_true",
        help="Stop the instance meanwhile, and start it again, if it is running.",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="Only print what would be done; change nothing."
    )


def run(site: Site, args: argparse.Namespace) -> int:
    name = names.check(args.name)
    if not (args.fernet or args.secret):
        raise UsageError("nothing to replace was named", hint="--fernet, --secret or both")
    with locked(site.layout, name=name):
        declared = site.load(name)
        if declared.absent:
            raise AlreadyError(f"{name} is declared absent")
        instance = site.view(declared)
        moving.require_applied(site, instance)
        _Rotation(site, instance, args).run()
    return 0


class _Rotation:
    """One run, from the checks to the start of what was stopped."""

    def __init__(self, site: Site, instance: Instance, args: argparse.Namespace) -> None:
        self.site, self.instance, self.args = site, instance, args
        self.name = instance.name
        self.path = site.layout.seen(site.layout.keys_file(self.name))
        self.engine = Engine(site.tree, site.host)

    def run(self) -> None:
        args, name, site = self.args, self.name, self.site
        wanted = rotation.purposes(self.instance, self.path, secret=args.secret, fernet=args.fernet)
        text, have = keys.load(site.layout, name)
        new = rotation.first(text, have, wanted, self.path)
        which = " ".join(f"--{word}" for word in ("fernet", "secret") if getattr(args, word))
        typed = f"airflow-instance rotate-keys {name} {which} --stop"
        # What runs has the keys so far, and keeps them until it is started again.
        running = standstill.require(site, name, stop=args.stop, typed=typed)
        site.plan([name])  # what cannot be applied must not be found out half-way
        before = 0
        if args.fernet:
            found = rotation.values(site, self.instance, have[FERNET])
            rotation.check_readable(name, found)
            before = found.rows
        place, kept = rotation.backup(site, name, text)
        self._announce(wanted, before, rotation.unfinished(have))
        if args.dry_run:
            for change in kept:
                print(f"{name}: would {change.describe()}")
            if running:
                print(f"{name}: would stop {', '.join(running)}, and start it afterwards")
            return
        self._do(kept)
        print(f"{name}: the keys so far are in {place}")
        try:
            if running:
                print(f"{name}: stopping it, which waits for what runs …", flush=True)
                self._do([Systemctl(("stop", *running))])
            self._put(new)
            if args.fernet:
                self._encrypt(new, place)
        finally:
            # Whatever happened, every value can be read with the keys that are there.
            if running:
                self._do([Systemctl(("start", *running))])
        print(f"{name}: replaced {', '.join(wanted)}")

    def _announce(self, wanted: list[str], rows: int, unfinished: bool) -> None:
        would = "would " if self.args.dry_run else ""
        if FERNET in wanted and unfinished:
            warn([f"{self.path} has several fernet keys: a rotation that was cut off goes on"])
        for purpose in wanted:
            what = f", and encrypt {rows} values anew" if purpose == FERNET else ""
            print(f"{self.name}: {would}replace {purpose}{what}")
        if self.args.secret:
            print(f"{self.name}: everyone {'would be' if would else 'is'} logged out")

    def _put(self, text: str) -> None:
        """Have ``text`` as keys.d, and what follows from it in place."""
        with locked(self.site.layout):
            old = self.site.tree.read(self.path)
            if old != text.encode():
                self._do([WriteFile(self.path, text.encode(), old, 0o600, "root", "root")])
            plans, warnings = self.site.plan([self.name])
            warn([*warnings, *(warning for plan in plans for warning in plan.warnings)])
            for plan in plans:
                self._do(plan.changes)

    def _encrypt(self, text: str, place: str) -> None:
        both = keys.parse(text, self.path)[FERNET]
        done = rotation.values(self.site, self.instance, both, write=True)
        rotation.check_readable(self.name, done)
        print(f"{self.name}: encrypted {done.changed} of {done.rows} values anew")
        # The new key alone, as it will be from now on.
        seen = rotation.values(self.site, self.instance, both.split(",")[0])
        if seen.unreadable:
            raise ConflictError(
                f"{self.name}: {', '.join(seen.unreadable[:5])} was written with the old key "
                "meanwhile, so that is kept for now",
                hint="stop what writes there, on other hosts too, and run this again",
            )
        self._put(rotation.last(text, self.path))
        print(f"{self.name}: a backup of the database made before this needs the keys in {place}")

    def _do(self, changes: Sequence[Change]) -> None:
        self.engine.execute(changes, lambda line: print(f"{self.name}: {line}"))


COMMAND = Command(
    name="rotate-keys",
    help="replace an instance's generated keys by new ones",
    description="With --fernet, puts a new key in front of the old one, encrypts all connections, "
    "variables and triggers in the database with it in one transaction, sees that the new key "
    "alone can read them, and takes the old one away. Cut off at any point it leaves everything "
    "readable, and goes on when it is run again. With --secret, replaces the keys that sign "
    "sessions, tokens and requests for logs. The keys so far are kept below "
    "/var/lib/airflow-instances/rotated, for root only: older backups need them. Keys that a "
    "declaration says are refused: they are changed there. On several hosts of one instance "
    "nothing may run meanwhile; afterwards they need the same /etc/airflow/keys.d/NAME.yaml, "
    "which show --fingerprints compares.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(
        ("airflow-instance rotate-keys analytics --fernet --stop", ""),
        ("airflow-instance rotate-keys analytics --secret --dry-run", "what would be done"),
    ),
)

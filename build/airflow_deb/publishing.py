"""`make repo`, `make promote` and `make retract`: what changes the repository.

Each looks first, at the catalogue and at what is in dist/, and stops at the first thing
that is wrong; then it has a key that can sign; only then does it change anything.
"""

from __future__ import annotations

import datetime
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from . import busy, catalogue, log, record, signing, uploads
from .catalogue import Catalogue, Change, distribution
from .errors import UsageError
from .paths import Paths
from .repository import Repository
from .settings import STAGES, Settings
from .signing import Key
from .versions import Matrix


def repository(paths: Paths, settings: Settings) -> Repository:
    """The repository that REPO names, else dist/repo."""
    where = Path(settings.repo).expanduser().absolute() if settings.repo else paths.dist / "repo"
    return Repository(where)


def repo(paths: Paths, matrix: Matrix, settings: Settings) -> None:
    """Publish what is in dist/, or of it what VERSION and SUITE choose, in the stage TO.

    Also with nothing to add the indices are signed anew, which makes them valid for longer.
    """
    here = repository(paths, settings)
    stage = settings.stage("TO", "stable")
    _check_suite(matrix, here.catalogue(), settings.suite)
    found = uploads.find(
        paths.dist, list(matrix.suites), suite=settings.suite, version=settings.version
    )
    chosen = " ".join(
        f"{name}={value}"
        for name, value in (("VERSION", settings.version), ("SUITE", settings.suite))
        if value
    )
    if not found and (chosen or here.state is None):
        raise UsageError(
            f"there is no package {f'of {chosen} ' if chosen else ''}in {paths.dist}",
            hint="build one: make deb VERSION=…",
        )
    with log.step("dist") as step:
        read = uploads.read(found, step)
        step.result = f"{len(read)} packages, all as they were built"

    def change(known: Catalogue) -> Change:
        return catalogue.publish(
            known,
            read,
            stage=stage,
            named=bool(settings.version),
            fast=settings.fast,
            now=record.now(),
        )

    _carry_out(here, matrix, settings, change, always=True)


def promote(paths: Paths, matrix: Matrix, settings: Settings) -> None:
    """Move the packages of VERSION, on SUITE or all suites, from the stage FROM to TO."""
    here = repository(paths, settings)
    source, target = settings.stage("FROM", "testing"), settings.stage("TO", "stable")
    _check_suite(matrix, here.catalogue(), settings.suite)

    def change(known: Catalogue) -> Change:
        return catalogue.promote(
            known,
            version=settings.version,
            suite=settings.suite,
            source=source,
            target=target,
            now=record.now(),
        )

    _carry_out(here, matrix, settings, change)


def retract(paths: Paths, matrix: Matrix, settings: Settings) -> None:
    """Take the packages of VERSION back, on SUITE or all suites, from FROM or both stages."""
    here = repository(paths, settings)
    source = settings.stage("FROM", "")
    _check_suite(matrix, here.catalogue(), settings.suite)

    def change(known: Catalogue) -> Change:
        return catalogue.retract(
            known,
            version=settings.version,
            suite=settings.suite,
            source=source,
            now=record.now(),
        )

    _carry_out(here, matrix, settings, change)


def _check_suite(matrix: Matrix, known: Catalogue, suite: str) -> None:
    suites = _suites(matrix, known)
    if suite and suite not in suites:
        raise UsageError(f"SUITE={suite} is no suite", hint=f"write one of {', '.join(suites)}")


def _suites(matrix: Matrix, known: Catalogue) -> list[str]:
    """The suites that have a distribution: one that is no longer built for keeps its own."""
    return list(dict.fromkeys([*matrix.suites, *(entry.suite for entry in known.values())]))


def _carry_out(
    here: Repository,
    matrix: Matrix,
    settings: Settings,
    change: Callable[[Catalogue], Change],
    *,
    always: bool = False,
) -> None:
    """Do what ``change`` makes of the catalogue; with ``always`` also when that is nothing."""
    days = settings.days()
    planned = change(here.catalogue())
    if settings.dry_run:
        log.info(f"airflow-deb: the plan for {here.path}")
        _tell(planned, "would be ")
        return
    if not always and not planned.move:
        log.info(f"airflow-deb: nothing to do: {planned.same} packages are so already")
        return
    os.umask(0o022)  # What is published is for everybody.
    with signing.key(settings.signing_key) as key:
        _check_key(here, key)
        with busy.hold(here.lock, f"the repository {here.path}", wait=settings.wait):
            known = here.catalogue()  # Somebody else may have changed it meanwhile.
            planned = change(known)
            with log.step("publish"):
                until = _publish(here, matrix, known, planned, key, days)
    _tell(planned, "")
    _summary(here, key, until)


def _publish(
    here: Repository, matrix: Matrix, known: Catalogue, change: Change, key: Key, days: int
) -> datetime.datetime:
    """Publish ``known`` with ``change``; until when it is valid (see State.publish)."""
    after = change.applied(known)
    distributions = [
        distribution(suite, stage) for suite in _suites(matrix, after) for stage in STAGES
    ]
    added = defaultdict(list)
    for upload, entry in change.add:
        added[distribution(entry.suite, entry.stage)].append(upload.deb)
    moved = defaultdict(list)
    for old, new in change.move:
        target = distribution(new.suite, new.stage) if new.stage else ""
        moved[distribution(old.suite, old.stage), target].append(old.key)
    with here.next() as state:
        state.aptly.create(distributions)
        for name, debs in added.items():
            state.aptly.add(name, debs)
        for (source, target), packages in moved.items():
            if target:
                state.aptly.move(source, target, packages)
            else:
                state.aptly.remove(source, packages)
        state.aptly.publish(distributions)
        papers = [p for upload, _ in change.add for p in (upload.buildinfo, *upload.papers)]
        return state.publish(after, papers, key, days)


def _check_key(here: Repository, key: Key) -> None:
    """Raise UsageError for another key than what is published is signed with."""
    signing.require_usable(key)
    if not here.keyring.exists():
        return
    old = signing.fingerprint(key, here.keyring)
    if old != key.fingerprint:
        raise UsageError(
            f"{here.path} is signed with the key {old}, this one is {key.fingerprint}: hosts "
            "would refuse it",
            hint=f"set SIGNING_KEY; or give the new key to all hosts, then delete {here.keyring}",
        )


def _tell(change: Change, would: str) -> None:
    for _, entry in change.add:
        log.info(f"  {would}added to {distribution(entry.suite, entry.stage)}: {entry.file}")
    for old, new in change.move:
        if new.stage:
            to = distribution(new.suite, new.stage)
            log.info(f"  {would}moved to {to}: {new.file}")
        else:
            where = distribution(old.suite, old.stage)
            log.info(f"  {would}retracted from {where}: {old.file}")
    for name, reason in change.left_out:
        log.info(f"  left out: {name}: {reason}")
    if change.same:
        log.info(f"  there already: {change.same} packages")


def _summary(here: Repository, key: Key, until: datetime.datetime) -> None:
    there: Iterable[str] = (
        distribution(entry.suite, entry.stage) for entry in here.catalogue().values() if entry.stage
    )
    counts = ", ".join(f"{name} {count}" for name, count in sorted(Counter(there).items()))
    about = " (a development key: for trying it out)" if key.development else ""
    rows = [
        ("place", str(here.path)),
        ("packages", counts or "none"),
        ("key", f"{key.fingerprint}{about}, {here.keyring.name}"),
        ("valid", f"until {until:%Y-%m-%d}; make repo signs it for longer"),
    ]
    for name, value in rows:
        log.info(f"  {name:<9}{value}")

"""What was ever published: the catalogue of the repository, and how it changes.

A package is in one of two stages. ``stable`` is the distribution that is called as the
suite (bookworm), ``testing`` another one beside it (bookworm-testing). What was retracted
is in none, and stays in the catalogue: a version means the same bytes for ever, because
some host may still have it.

All here is pure but `load` and `save`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .errors import ConfigError, HashError, UsageError
from .paths import write_text
from .uploads import Upload, is_version, shown


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A package that is or was published.

    ``file`` is the name of the .deb, ``buildinfo`` that of its .buildinfo, ``papers`` those
    of what else is published to verify it. ``stage`` is empty for one that was retracted.
    ``date`` is when it came to where it is (UTC).
    """

    file: str
    suite: str
    stage: str
    sha256: str
    buildinfo: str
    date: str
    papers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What aptly calls it: ``airflow_2.1.0-1~deb11u1_amd64``."""
        return self.file.removesuffix(".deb")


Catalogue = dict[str, Entry]


@dataclass(frozen=True, kw_only=True)
class Change:
    """What is to be done, and what not.

    ``add`` are new packages with the entries they get, ``move`` entries of packages in the
    repository as they were and as they are to be. ``same`` counts those that are published
    as they are in dist/; ``left_out`` are file names, each with the reason.
    """

    add: tuple[tuple[Upload, Entry], ...] = ()
    move: tuple[tuple[Entry, Entry], ...] = ()
    same: int = 0
    left_out: tuple[tuple[str, str], ...] = ()

    def applied(self, catalogue: Catalogue) -> Catalogue:
        """``catalogue`` after the change."""
        new = [entry for _, entry in (*self.add, *self.move)]
        return {**catalogue, **{entry.file: entry for entry in new}}


def distribution(suite: str, stage: str) -> str:
    """What apt's Suites: says for ``stage`` of ``suite``.

    >>> distribution("bookworm", "stable"), distribution("bookworm", "testing")
    ('bookworm', 'bookworm-testing')
    """
    return suite if stage == "stable" else f"{suite}-{stage}"


def publish(
    catalogue: Catalogue,
    uploads: Sequence[Upload],
    *,
    stage: str,
    named: bool,
    fast: bool,
    now: str,
) -> Change:
    """Publish ``uploads`` in ``stage``, but what is published already, wherever that is.

    Packages that are not compressed are left out unless ``fast``, those that were
    retracted unless they were ``named`` (by VERSION=). Raises HashError for a version that
    was published with other bytes, which also a retraction does not change.
    """
    add, left_out, same = [], [], 0
    for upload in uploads:
        known = catalogue.get(upload.deb.name)
        if known is None and not upload.packed and not fast:
            reason = "built with FAST=1, for development; make repo FAST=1 would take it"
            left_out.append((upload.deb.name, reason))
            continue
        if known is not None and known.sha256 != upload.sha256:
            raise HashError(
                f"{shown(upload.deb)} is not what was published as {known.file} on "
                f"{known.date[:10]}: sha256 {upload.sha256}, published {known.sha256}",
                hint="raise the version's revision= in versions.sh and build it, "
                "or take the package out of dist/",
            )
        if known is not None and known.stage:
            same += 1
            continue
        if known is not None and not named:
            reason = f"retracted on {known.date[:10]}; make repo VERSION=… would take it"
            left_out.append((upload.deb.name, reason))
            continue
        add.append((upload, _entry(upload, stage, now)))
    return Change(add=tuple(add), same=same, left_out=tuple(left_out))


def promote(
    catalogue: Catalogue, *, version: str, suite: str, source: str, target: str, now: str
) -> Change:
    """Move the packages of ``version`` from the stage ``source`` to ``target``.

    Raises UsageError when there is none in either.
    """
    if source == target:
        raise UsageError(f"FROM={source} and TO={target} are the same", hint="change one")
    there = _of_version(catalogue, version, suite, lambda entry: entry.stage in (source, target))
    if not there:
        raise _unknown(catalogue, version, suite, f"in {source}", source)
    return Change(
        move=tuple(
            (entry, replace(entry, stage=target, date=now))
            for entry in there
            if entry.stage == source
        ),
        same=sum(entry.stage == target for entry in there),
    )


def retract(catalogue: Catalogue, *, version: str, suite: str, source: str, now: str) -> Change:
    """Take the packages of ``version`` out of the stage ``source``, or of both if it is empty.

    Raises UsageError when there is none, and never was.
    """
    wanted = (source, "") if source else ("stable", "testing", "")
    there = _of_version(catalogue, version, suite, lambda entry: entry.stage in wanted)
    if not there:
        raise _unknown(catalogue, version, suite, f"in {source}" if source else "published", source)
    gone = tuple((entry, replace(entry, stage="", date=now)) for entry in there if entry.stage)
    return Change(move=gone, same=len(there) - len(gone))


def load(path: Path) -> Catalogue:
    """The catalogue at ``path``; ConfigError when it is none."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(raw, list):
            raise TypeError("it is no list")
        entries = [Entry(**{**e, "papers": tuple(e.get("papers", ()))}) for e in raw]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} is no catalogue of a repository: {error}", hint="restore it from a backup"
        ) from error
    return {entry.file: entry for entry in entries}


def save(path: Path, catalogue: Catalogue) -> None:
    """Write ``catalogue``; it appears whole or not at all."""
    entries = [asdict(catalogue[name]) for name in sorted(catalogue)]
    write_text(path, json.dumps(entries, indent=1) + "\n")


def _entry(upload: Upload, stage: str, now: str) -> Entry:
    return Entry(
        file=upload.deb.name,
        suite=upload.suite,
        stage=stage,
        sha256=upload.sha256,
        buildinfo=upload.buildinfo.name,
        date=now,
        papers=tuple(path.name for path in upload.papers),
    )


def _of_version(
    catalogue: Catalogue, version: str, suite: str, wanted: Callable[[Entry], bool]
) -> list[Entry]:
    if not version:
        raise UsageError("VERSION= is missing", hint="write VERSION=2.1.0, say")
    return [
        entry
        for entry in catalogue.values()
        if is_version(entry.file, version) and suite in ("", entry.suite) and wanted(entry)
    ]


def _unknown(catalogue: Catalogue, version: str, suite: str, where: str, stage: str) -> UsageError:
    entries: Iterable[Entry] = catalogue.values()
    there = {e.key.split("_")[1] for e in entries if e.stage and stage in ("", e.stage)}
    on = f" for {suite}" if suite else ""
    return UsageError(
        f"there is no VERSION={version}{on} {where}",
        hint=f"there are {', '.join(sorted(there))}" if there else "there is nothing at all",
    )

"""Known vulnerabilities: advisories in the OSV schema, from a file, or from a service.

A file is what OSV exports (`all.zip` of the ecosystem PyPI), a directory with records as
JSON or YAML such as a clone of the PyPA's advisory database, or one JSON file with a
record or a list of them. A service is asked by pip-audit, which knows how. Which
versions an advisory affects is decided as the schema says (section "evaluation").
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .errors import ConfigError, NetworkError, UsageError
from .lockfile import Lock
from .run import run

_RECORDS = (".json", ".yaml", ".yml")
_ORDER = ("introduced", "last_affected", "fixed")


@dataclass(frozen=True)
class Advisory:
    """What one record says of one distribution.

    ``ranges`` are events (kind, version) in the order of versions; ``versions`` are
    single ones that it lists, besides.
    """

    id: str
    aliases: tuple[str, ...]
    name: str
    summary: str
    ranges: tuple[tuple[tuple[str, Version], ...], ...]
    versions: frozenset[Version]

    def affects(self, version: Version) -> bool:
        """Whether ``version`` is vulnerable by it."""
        return version in self.versions or any(_within(r, version) for r in self.ranges)


def concerning(lock: Lock, db: str) -> tuple[list[Advisory], str]:
    """The advisories of the distributions in ``lock``, and where they are from.

    A file has also those that affect other versions only; a service tells what affects
    the locked ones. ``db`` is DB: a file, a directory or a service's address, or empty
    for the service that pip-audit asks by itself. Raises UsageError for a file that is no database,
    NetworkError for a service that does not answer.
    """
    if db and "://" not in db:
        records = list(_read(Path(db).expanduser()))
        names = {file.name for file in lock.files}
        known = [a for record, where in records for a in parse(record, where, names)]
        return known, f"{db}, {len(records)} advisories"
    return _ask(lock, db), db or "the OSV service"


def parse(record: Mapping[str, Any], where: str, names: Container[str]) -> Iterator[Advisory]:
    """What ``record`` says of each of ``names`` on PyPI; nothing when it was withdrawn.

    A range with what is no version (PEP 440) is left out where the record lists the
    versions, too. Raises ConfigError, naming ``where``, for what is no OSV record.
    """
    try:
        if record.get("withdrawn"):
            return
        details = str(record.get("summary") or record.get("details") or "")
        for affected in record.get("affected", []):
            package = affected.get("package", {})
            if str(package.get("ecosystem", "")).partition(":")[0] != "PyPI":
                continue
            name = canonicalize_name(package["name"])
            if name not in names:
                continue
            versions = frozenset(_versions(affected.get("versions") or ()))
            yield Advisory(
                id=str(record["id"]),
                aliases=tuple(sorted(map(str, record.get("aliases") or ()))),
                name=name,
                summary=" ".join(details.split()),
                ranges=tuple(_ranges(affected.get("ranges") or (), needed=not versions)),
                versions=versions,
            )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError(f"{where} is no OSV record: {error!r}") from error


def _ranges(
    ranges: Iterable[Mapping[str, Any]], *, needed: bool
) -> Iterator[tuple[tuple[str, Version], ...]]:
    for range_ in ranges:
        if range_["type"] in ("ECOSYSTEM", "SEMVER"):
            try:
                yield _events(range_["events"])
            except InvalidVersion:
                if needed:
                    raise


def _events(events: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, Version], ...]:
    found = [
        (kind, Version(str(event[kind]))) for event in events for kind in _ORDER if kind in event
    ]
    return tuple(sorted(found, key=lambda event: (event[1], _ORDER.index(event[0]))))


def _within(events: tuple[tuple[str, Version], ...], version: Version) -> bool:
    vulnerable = False
    for kind, at in events:
        if kind == "introduced" and version >= at:
            vulnerable = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            vulnerable = False
    return vulnerable


def _versions(listed: Iterable[Any]) -> Iterator[Version]:
    """Those that are versions by PEP 440: others cannot be locked."""
    for text in listed:
        try:
            yield Version(str(text))
        except InvalidVersion:
            continue


def _read(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The records of the database at ``path``, each with where it stands."""
    count = 0
    for name, content in _contents(path):
        try:
            loaded = json.loads(content) if name.endswith(".json") else _yaml(content)
        except (ValueError, yaml.YAMLError) as error:
            raise UsageError(f"DB={path}: {name} cannot be read: {error}") from error
        for record in loaded if isinstance(loaded, list) else [loaded]:
            count += 1
            yield record, f"DB={path}: {name}"
    if not count:
        raise UsageError(
            f"DB={path} has no OSV record",
            hint="give OSV's all.zip of PyPI, or a directory of records as JSON or YAML",
        )


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a database that may be records, by name."""
    try:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.suffix in _RECORDS and file.is_file():
                    yield file.relative_to(path).as_posix(), file.read_bytes()
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in sorted(archive.namelist()):
                    if name.endswith(_RECORDS):
                        yield name, archive.read(name)
        else:
            yield path.name if path.suffix in _RECORDS else f"{path.name}.json", path.read_bytes()
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"DB={path} cannot be read: {error}") from error


def _yaml(content: bytes) -> Any:
    # The C parser takes a tenth of the time for thousands of records.
    return yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506


def _ask(lock: Lock, service: str) -> list[Advisory]:
    """What pip-audit says of ``lock``; of each only what it affects and where it is fixed."""
    with tempfile.TemporaryDirectory(prefix="airflow-deb-audit-") as scratch:
        pins = Path(scratch) / "pins.txt"
        pins.write_text("".join(f"{f.name}=={f.version}\n" for f in lock.files), encoding="utf-8")
        words = [sys.executable, "-m", "pip_audit", "--requirement", str(pins), "--no-deps"]
        words += ["--disable-pip", "--format", "json", "--progress-spinner", "off"]
        words += ["--vulnerability-service", "osv", "--cache-dir", f"{scratch}/cache"]
        words += ["--osv-url", service] if service else []
        done = run(words, check=False)
    try:
        document = json.loads(done.stdout)
    except ValueError as error:
        # Its status is 1, too, when it has found something.
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise NetworkError(
            f"pip-audit got no answer: {last[:200]}",
            hint="check the network, or give a database as a file: DB=",
        ) from error
    return [
        _told(dependency["name"], Version(dependency["version"]), vulnerability)
        for dependency in document["dependencies"]
        for vulnerability in dependency.get("vulns", [])
    ]


def _told(name: str, version: Version, told: Mapping[str, Any]) -> Advisory:
    fixes = sorted(fix for fix in map(Version, told["fix_versions"]) if fix > version)
    events = [("introduced", version), *(("fixed", fix) for fix in fixes[:1])]
    return Advisory(
        id=told["id"],
        aliases=tuple(sorted(told["aliases"])),
        name=canonicalize_name(name),
        summary=" ".join(str(told.get("description", "")).split()),
        ranges=(tuple(events),),
        versions=frozenset(),
    )

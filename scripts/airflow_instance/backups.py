"""Backups: one directory for each, with all that an instance needs to come back.

    /var/backups/airflow-instances/NAME/STAMP/
        database.*      the dump (see dumps.py)
        instance.yaml secrets.yaml keys.yaml ports.yaml
        extra_packages.txt    what was locked; the wheels are not in it
        MANIFEST        written last: without it the backup is none

Only root may read them: they hold the fernet key beside what it encrypts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from . import dumps, former, heads
from .dumps import Stored
from .errors import HostError, InstanceError
from .instance import Instance
from .layout import Layout
from .parameters import database_kind
from .site import Site

MANIFEST = "MANIFEST"
_FORMAT = 1
_STAMP = re.compile(r"\d{8}T\d{6}Z(?:-\d+)?")
_DAY = 24 * 3600


@dataclass(frozen=True)
class Backup:
    """A backup that is complete. ``made`` is in seconds since the epoch."""

    name: str
    stamp: str
    made: float
    airflow: str
    kind: str
    revisions: tuple[str, ...]
    files: Mapping[str, Stored]
    path: Path

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(stored.size for stored in self.files.values())

    @property
    def dump(self) -> str:
        """The name of the file with the database; "" when there was nothing in it."""
        return next((name for name in self.files if name.startswith("database.")), "")

    def read(self, name: str) -> bytes | None:
        """A small file of the backup; None when it has no such file."""
        return (self.path / name).read_bytes() if name in self.files else None


def config_files(layout: Layout, name: str) -> dict[str, Path]:
    """What a backup calls the files of /etc/airflow, and where they are."""
    return {
        "instance.yaml": layout.instance_file(name),
        "secrets.yaml": layout.secrets_file(name),
        "keys.yaml": layout.keys_file(name),
        "ports.yaml": layout.ports_file(name),
    }


def make(site: Site, instance: Instance) -> Backup:
    """Back up ``instance``, running or not. Its lock has to be held.

    Raises HostError, with nothing left behind, when that fails.
    """
    name = instance.name
    dump_name = dumps.file_name(instance)
    schema = heads.state(site, instance)
    if schema.state == heads.UNREACHABLE:
        raise HostError(f"{name}: the database cannot be reached: {schema.reason}")
    place = _new_directory(site, name)
    try:
        files: dict[str, Stored] = {}
        for file, source in config_files(site.layout, name).items():
            content = site.tree.read(site.layout.seen(source))
            if content is not None:
                files[file] = _write(place / file, content)
        if instance.extra:
            files["extra_packages.txt"] = _write(
                place / "extra_packages.txt", instance.extra.text.encode("utf-8")
            )
        if schema.state != heads.FRESH:
            files[dump_name] = dumps.dump(site, instance, place / dump_name)
        made = time.time()
        was = None if schema.state == heads.CURRENT else former.of_database(site.tree, name)
        manifest = {
            "format": _FORMAT,
            "instance": name,
            "made": made,
            "airflow": str(was or instance.installation.version),
            "database": database_kind(instance.parameters),
            "revisions": list(schema.found),
            "files": {file: asdict(stored) for file, stored in files.items()},
        }
        _write(place / f"{MANIFEST}.new", json.dumps(manifest, indent=1).encode() + b"\n")
        os.rename(place / f"{MANIFEST}.new", place / MANIFEST)
        for directory in (place, place.parent):
            _sync(directory)
    except BaseException as error:
        shutil.rmtree(place, ignore_errors=True)
        if isinstance(error, OSError):
            raise HostError(
                f"{place}: {error.strerror}", hint="see whether the disk is full"
            ) from error
        raise
    return _load(name, place)


def listed(layout: Layout, name: str) -> list[Backup]:
    """The complete backups of ``name``, the oldest first."""
    found = []
    for stamp in stamps(layout, name):
        with contextlib.suppress(InstanceError):
            found.append(_load(name, layout.real(layout.backups_dir(name)) / stamp))
    return sorted(found, key=lambda backup: backup.made)


def stamps(layout: Layout, name: str) -> list[str]:
    """Every backup of ``name``, broken-off ones too."""
    try:
        entries = os.listdir(layout.real(layout.backups_dir(name)))
    except FileNotFoundError:
        return []
    return sorted(entry for entry in entries if _STAMP.fullmatch(entry))


def names(layout: Layout) -> list[str]:
    """The instances that have backups, declared or not."""
    try:
        return sorted(os.listdir(layout.real(layout.backups_dir("")).resolve()))
    except FileNotFoundError:
        return []


def find(layout: Layout, name: str, stamp: str = "") -> Backup:
    """A complete backup of ``name``: that of ``stamp``, or the newest.

    Raises InstanceError when there is none, or it is not complete.
    """
    known = listed(layout, name)
    for backup in reversed(known):
        if not stamp or backup.stamp == stamp:
            return backup
    if stamp and stamp in stamps(layout, name):
        raise InstanceError(f"the backup {stamp} of {name} is not complete: it was broken off")
    hint = f"airflow-instance backup --list {name}" if known else f"airflow-instance backup {name}"
    what = f"no backup {stamp} of {name}" if stamp else f"no backup of {name}"
    raise InstanceError(f"there is {what}", hint=hint)


def verify(backup: Backup) -> None:
    """Read all of a backup again.

    Raises HostError when a file is not as it was written.
    """
    for file, stored in backup.files.items():
        digest, size = hashlib.sha256(), 0
        try:
            with open(backup.path / file, "rb") as source:
                while chunk := source.read(1 << 20):
                    digest.update(chunk)
                    size += len(chunk)
        except OSError as error:
            raise HostError(f"{backup.path / file}: {error.strerror}") from error
        if (size, digest.hexdigest()) != (stored.size, stored.sha256):
            raise HostError(
                f"{backup.path / file} is damaged: it is not what was written",
                hint=f"take another: airflow-instance backup --list {backup.name}",
            )


def broken_off(layout: Layout, name: str) -> list[Path]:
    """What interrupted runs left. The instance's lock has to be held."""
    place = layout.real(layout.backups_dir(name))
    return [
        place / stamp for stamp in stamps(layout, name) if not (place / stamp / MANIFEST).exists()
    ]


def expired(known: Sequence[Backup], days: int, now: float) -> list[Backup]:
    """Those of ``known`` that are older than ``days``, but never the newest."""
    newest = max(known, key=lambda backup: backup.made, default=None)
    return [b for b in known if b is not newest and b.made < now - days * _DAY]


def remove(path: Path) -> None:
    """Delete a backup: its marker first, so that a half is never taken for a whole."""
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path / MANIFEST)
        shutil.rmtree(path)
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}") from error


def _load(name: str, path: Path) -> Backup:
    try:
        data = json.loads((path / MANIFEST).read_text("utf-8"))
        if data["format"] != _FORMAT:
            raise InstanceError(f"{path} is of another version of airflow-instance")
        files = {
            str(file): Stored(int(row["size"]), str(row["sha256"]))
            for file, row in data["files"].items()
        }
        return Backup(
            name=name,
            stamp=path.name,
            made=float(data["made"]),
            airflow=str(data["airflow"]),
            kind=str(data["database"]),
            revisions=tuple(map(str, data["revisions"])),
            files=files,
            path=path,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InstanceError(f"{path} is no complete backup") from error


def _new_directory(site: Site, name: str) -> Path:
    """A new directory for a backup; root alone may look into it."""
    above = site.layout.real(site.layout.backups_dir(name))
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    try:
        above.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        above.mkdir(mode=0o700, exist_ok=True)
        for number in range(1, 100):
            place = above / (stamp if number == 1 else f"{stamp}-{number}")
            try:
                place.mkdir(mode=0o700)
            except FileExistsError:
                continue
            return place
    except OSError as error:
        raise HostError(
            f"{above}: {error.strerror}", hint="see whether the disk is full"
        ) from error
    raise HostError(f"{above}: there are too many backups of {stamp}")


def _write(path: Path, content: bytes) -> Stored:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Stored(len(content), hashlib.sha256(content).hexdigest())


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

"""An instance's database as a file, and back.

A child with the service user's rights reads and writes the database
(inside/dump_database.py); what it says goes to, or comes from, a file of root's.
"""

from __future__ import annotations

import hashlib
import os
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import asuser, launch
from .errors import HostError, InstanceError
from .instance import Instance
from .parameters import database_kind
from .site import Site
from .versions import table

_PYTHON = "/usr/bin/python3"
_RUN = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from airflow_instance.inside.dump_database import main; main()"
)
_PACKAGES = str(Path(__file__).resolve().parent.parent)
_CHUNK = 1 << 20
_GZIP = 31  # zlib's word for a gzip header around the largest window

# What the dump of a kind is called. PostgreSQL's own form is compressed already.
FILES = {
    "sqlite": "database.sqlite.gz",
    "postgresql": "database.pgdump",
    "mysql": "database.sql.gz",
}


@dataclass(frozen=True)
class Stored:
    """A file as it was written: ``size`` in bytes, ``sha256`` in hexadecimal."""

    size: int
    sha256: str


def file_name(instance: Instance) -> str:
    """What the dump of an instance is called.

    Raises InstanceError for a database that we have no means for.
    """
    kind = database_kind(instance.parameters)
    if kind not in FILES:
        raise InstanceError(
            f"{instance.name}: a {kind} database has to be backed up by its own means",
            hint="airflow-instance backs up SQLite, PostgreSQL and MySQL",
        )
    return FILES[kind]


def dump(site: Site, instance: Instance, path: Path) -> Stored:
    """Write the database of ``instance`` to the new file ``path``, 0600.

    Raises HostError when that fails; what is at ``path`` then is of no use.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    read, write = os.pipe()
    with open(fd, "wb") as file, open(read, "rb") as source:
        sink = _Sink(file.write, compress=path.name.endswith(".gz"))
        pump = _Pump(lambda: sink.take(source.read))
        try:
            done = asuser.run(site, _launch(site, instance, "dump"), stdout=write)
        finally:
            os.close(write)
            pump.join()
        _check(instance, done, "dumped")
        if pump.error:
            raise HostError(
                f"{path}: {pump.error.strerror}", hint="see whether the disk is full"
            ) from pump.error
        file.flush()
        os.fsync(file.fileno())
    return Stored(sink.size, sink.digest.hexdigest())


def restore(site: Site, instance: Instance, path: Path) -> None:
    """Replace the database of ``instance`` by the dump at ``path``.

    Raises HostError when that fails. SQLite and PostgreSQL have what they had then;
    MySQL may have a part of either.
    """
    read, write = os.pipe()
    with open(path, "rb") as file, open(write, "wb", buffering=0) as target:
        pump = _Pump(lambda: _feed(file.read, target, compressed=path.name.endswith(".gz")))
        try:
            done = asuser.run(site, _launch(site, instance, "restore"), stdin=read)
        finally:
            os.close(read)
            pump.join()
    _check(instance, done, "restored")
    if pump.error and not isinstance(pump.error, BrokenPipeError):
        raise HostError(f"{path}: {pump.error.strerror}")


def _launch(site: Site, instance: Instance, verb: str) -> launch.Launch:
    options = table().spellings("database_url", instance.installation.version)
    command = [_PYTHON, "-I", "-c", _RUN, _PACKAGES, verb, *map(".".join, options)]
    return launch.plan(site, instance.name, command, ["airflow-instance", "backup", instance.name])


def _check(instance: Instance, done: asuser.Done, verb: str) -> None:
    if done.status != 0:
        words, _, hint = done.last_words.partition("; ")
        raise HostError(
            f"{instance.name}: the database could not be {verb}: {words}",
            hint=hint or "see whether its server is up",
        )


class _Pump(threading.Thread):
    """Moves data beside the child; ``error`` is what stopped it."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.work = work
        self.error: OSError | None = None
        self.start()

    def run(self) -> None:
        try:
            self.work()
        except OSError as error:
            self.error = error


class _Sink:
    """Writes what it takes, perhaps compressed; remembers size and hash of what it wrote."""

    def __init__(self, write: Callable[[bytes], object], *, compress: bool) -> None:
        self.size = 0
        self.digest = hashlib.sha256()
        self._write = write
        self._compressor = zlib.compressobj(6, zlib.DEFLATED, _GZIP) if compress else None

    def take(self, read: Callable[[int], bytes]) -> None:
        try:
            while chunk := read(_CHUNK):
                self._put(self._compressor.compress(chunk) if self._compressor else chunk)
            if self._compressor:
                self._put(self._compressor.flush())
        except OSError:
            # The child would wait for ever for somebody to read the rest.
            while read(_CHUNK):
                pass
            raise

    def _put(self, data: bytes) -> None:
        self.digest.update(data)
        self.size += len(data)
        self._write(data)


def _feed(read: Callable[[int], bytes], target: object, *, compressed: bool) -> None:
    """Write a whole dump, decompressed, into a pipe, and close it."""
    write, close = target.write, target.close  # type: ignore[attr-defined]
    unpack = zlib.decompressobj(_GZIP) if compressed else None
    try:
        while chunk := read(_CHUNK):
            data = unpack.decompress(chunk) if unpack else chunk
            view = memoryview(data)
            while view:
                view = view[write(view) :]
    finally:
        close()

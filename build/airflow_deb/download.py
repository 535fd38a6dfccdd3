"""Download files into the cache, many at a time, and check every one of them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import queue
import threading
from typing import BinaryIO

import urllib3

from . import gone, index, log
from .errors import AirflowDebError, DiskError, HashError, NetworkError
from .lockfile import Lock, Locked
from .part import part_path, unfinished
from .paths import Paths
from .web import public

_THREADS = 16
_CHUNK = 1 << 18
# Answers that end before the file does, for one file, until we give up.
_INTERRUPTIONS = 5


class Download:
    """Files to be downloaded, and how far that is."""

    def __init__(
        self,
        files: tuple[Locked, ...],
        paths: Paths,
        locks: tuple[Lock, ...],
        source: index.Index,
        step: log.Step | None = None,
    ) -> None:
        self.missing = files
        self.paths = paths
        self.locks = locks
        self.source = source
        self.step = step
        self.total = log.size(sum(file.size for file in files))
        self.error: BaseException | None = None
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.queue: queue.SimpleQueue[Locked] = queue.SimpleQueue()
        self.files = 0
        self.bytes = 0

    def run(self) -> None:
        """Download everything; the first error, or Ctrl-C, ends all threads.

        Raises HashError, GoneError, NetworkError or DiskError.

        They are daemons, so that one that waits for a silent server does not
        keep the process from ending: whatever they are at can be cut off.
        """
        # The largest first: none of them is left alone at the end.
        for file in sorted(self.missing, key=lambda file: -file.size):
            self.queue.put(file)
        threads = [
            threading.Thread(target=self._work, name=f"fetch-{number}", daemon=True)
            for number in range(min(_THREADS, len(self.missing)))
        ]
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads) and not self.error:
                for thread in threads:
                    thread.join(0.05)
        finally:
            self.stop.set()
        if self.error:
            raise self.error

    def _work(self) -> None:
        while not self.stop.is_set():
            try:
                self._one(self.queue.get_nowait())
            except queue.Empty:
                return
            except BaseException as error:  # The main thread raises it.
                with self.lock:
                    self.error = self.error or error
                self.stop.set()

    def _one(self, file: Locked) -> None:
        target = self.paths.download(file.sha256, file.filename)
        offered = self._offered(file)
        try:
            with unfinished(target, file.size) as part:
                if part is not None:
                    self._fill(file, offered.url, part)
                    part.flush()
                    os.fsync(part.fileno())
                    os.fchmod(part.fileno(), 0o444)
                    os.rename(part_path(target), target)
        except OSError as error:
            kind = DiskError if error.errno == errno.ENOSPC else AirflowDebError
            raise kind(
                f"{target} cannot be written: {error.strerror or error}",
                hint="make room or set AIRFLOW_DEB_CACHE" if kind is DiskError else "",
            ) from error
        self._count(files=1)

    def _fill(self, file: Locked, url: str, part: BinaryIO) -> None:
        """Get what ``part`` lacks of ``file`` and check the whole.

        A part that turns out wrong may be the fault of the part an earlier run
        left: then it is downloaded once more, from the start.
        """
        resumed = os.fstat(part.fileno()).st_size > 0
        got = self._receive(file, url, part)
        if got != file.sha256 and resumed:
            part.truncate(0)
            got = self._receive(file, url, part)
        if got != file.sha256:
            part.truncate(0)
            raise _wrong(file, got, f"a file of {self.source.name}")

    def _offered(self, file: Locked) -> index.File:
        """Where the index has ``file``; GoneError when it no longer has it."""
        files = self.source.files(file.name)
        for offered in files:
            if offered.filename == file.filename:
                if offered.sha256 not in (None, file.sha256):
                    raise _wrong(file, str(offered.sha256), self.source.name)
                return offered
        raise gone.error(file, files, self.locks)

    def _receive(self, file: Locked, url: str, part: BinaryIO) -> str:
        """Write ``url`` to ``part`` from where it ends; the sha256 of the whole."""
        digest = hashlib.sha256()
        part.seek(0)
        while chunk := part.read(_CHUNK):
            digest.update(chunk)
        for _ in range(_INTERRUPTIONS):
            have = part.tell()
            if have >= file.size:
                break
            with contextlib.closing(self._request(file, url, have)) as response:
                if response.status != 206 and have:  # The server has sent it all again.
                    part.seek(0)
                    part.truncate()
                    digest = hashlib.sha256()
                if response.status == 416:
                    continue
                self._copy(response, part, digest, file.size)
        else:
            raise NetworkError(
                f"{public(url)} broke off {_INTERRUPTIONS} times, at byte {part.tell()}"
            )
        return digest.hexdigest()

    def _request(self, file: Locked, url: str, start: int) -> urllib3.BaseHTTPResponse:
        if self.stop.is_set():
            raise NetworkError(f"{file.filename} was not downloaded")
        response = self.source.web.get(url, start=start, stream=True, missing_ok=True)
        if response.status in (404, 410):
            response.release_conn()
            raise gone.error(file, self.source.files(file.name), self.locks)
        return response

    def _copy(
        self,
        response: urllib3.BaseHTTPResponse,
        part: BinaryIO,
        digest: hashlib._Hash,
        size: int,
    ) -> None:
        """Append ``response`` to ``part``, until it ends, breaks off or is too long."""
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            for chunk in response.stream(_CHUNK):
                part.write(chunk)
                digest.update(chunk)
                self._count(size=len(chunk))
                if part.tell() > size or self.stop.is_set():
                    break

    def _count(self, files: int = 0, size: int = 0) -> None:
        with self.lock:
            self.files += files
            self.bytes += size
            text = f"{self.files} of {len(self.missing)} files, "
            text += f"{log.size(self.bytes)} of {self.total}"
        if self.step is not None:
            self.step.progress(text)


def _wrong(file: Locked, got: str, where: str) -> HashError:
    return HashError(
        f"{file.filename} has another sha256 than the lock: expected {file.sha256}, "
        f"got {got} from {where}",
        hint="nothing was kept; find out who changed the file before locking it again",
    )

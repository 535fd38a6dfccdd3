"""Download exactly the locked files into a cache that is addressed by content.

`plan` looks, `fetch` does. A file is written to FILE.part, which an interrupted
download leaves behind and the next one continues; it gets its name only after
its sha256 was right and its bytes were on the disk. So a file under its name
was whole once, and `plan` trusts it at its size, which makes it fast. `fetch`,
which comes before a build of minutes, hashes everything again: a disk that
forgets is found out for a second of work.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import index, log
from .download import Download
from .errors import DiskError, NetworkError
from .lockfile import Lock, Locked
from .paths import Paths

# What the cache's disk must have free beyond the files: directories, blocks.
_SPARE = 50_000_000


@dataclass(frozen=True)
class FetchPlan:
    """The locked files that are cached and those that are not, each once."""

    cached: tuple[Locked, ...]
    missing: tuple[Locked, ...]
    locks: tuple[Lock, ...] = ()

    @property
    def bytes(self) -> int:
        """The size of what is missing."""
        return sum(file.size for file in self.missing)

    def __str__(self) -> str:
        total = len(self.cached) + len(self.missing)
        if not self.missing:
            return f"{total} files, all cached"
        return f"{len(self.missing)} of {total} files to download, {log.size(self.bytes)}"


def plan(locks: Iterable[Lock], paths: Paths) -> FetchPlan:
    """Which files of ``locks`` are in the cache and which are not; touches nothing."""
    locks = tuple(locks)
    files = {(file.sha256, file.filename): file for lock in locks for file in lock.files}
    ordered = sorted(files.values())
    cached = {file for file in ordered if _is_cached(file, paths)}
    return FetchPlan(
        tuple(file for file in ordered if file in cached),
        tuple(file for file in ordered if file not in cached),
        locks,
    )


def fetch(
    plan: FetchPlan,
    paths: Paths,
    step: log.Step | None = None,
    source: index.Index | None = None,
) -> None:
    """Make every file of ``plan`` be in the cache, whole.

    Raises DiskError before anything is downloaded when there is not enough
    room; HashError, GoneError or NetworkError when a file cannot be had. What
    was downloaded until then stays cached.
    """
    if step is not None and plan.cached:
        step.progress(f"checking {len(plan.cached)} cached files")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sound = list(pool.map(lambda file: _is_sound(file, paths), plan.cached))
    broken = tuple(file for file, good in zip(plan.cached, sound, strict=True) if not good)
    for file in broken:
        log.info(f"  {file.filename} was damaged in the cache: downloading it again")
        paths.download(file.sha256, file.filename).unlink(missing_ok=True)
    missing = (*plan.missing, *broken)
    if not missing:
        return
    _check_disk(missing, paths)
    source = source or index.Index(index.configured())
    try:
        Download(missing, paths, plan.locks, source, step).run()
    except NetworkError as error:
        raise _explained(error, plan, paths, source) from error


def ahead(plan: FetchPlan, paths: Paths, source: index.Index | None = None) -> Callable[[], None]:
    """Begin `fetch` in the background; the function returned waits for its end.

    That raises what `fetch` raises. Nothing waits for it when the builder ends before.
    """
    errors: list[BaseException] = []

    def work() -> None:
        try:
            fetch(plan, paths, source=source)
        except BaseException as error:  # Whoever waits raises it.
            errors.append(error)

    thread = threading.Thread(target=work, name="fetch", daemon=True)
    thread.start()

    def wait() -> None:
        thread.join()
        if errors:
            raise errors[0]

    return wait


def _explained(
    error: NetworkError, plan: FetchPlan, paths: Paths, source: index.Index
) -> NetworkError:
    """An unreachable index is more than a file: say what is there and what is not."""
    files = (*plan.cached, *plan.missing)
    missing = [file.filename for file in files if not _is_cached(file, paths)]
    named = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
    return NetworkError(
        f"{error.message}: {len(files) - len(missing)} of {len(files)} files are cached, "
        f"{len(missing)} are missing ({named})",
        hint="; ".join(
            filter(None, (error.hint, f"{source.name} is the index, PIP_INDEX_URL sets it"))
        ),
    )


def _is_cached(file: Locked, paths: Paths) -> bool:
    try:
        return paths.download(file.sha256, file.filename).stat().st_size == file.size
    except OSError:
        return False


def _is_sound(file: Locked, paths: Paths) -> bool:
    try:
        with paths.download(file.sha256, file.filename).open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256
    except OSError:
        return False


def _check_disk(missing: tuple[Locked, ...], paths: Paths) -> None:
    existing: Callable[[Path], bool] = Path.exists
    place = next(filter(existing, (paths.downloads, *paths.downloads.parents)))
    needed = sum(file.size for file in missing) + _SPARE
    free = shutil.disk_usage(place).free
    if free < needed:
        raise DiskError(
            f"{paths.downloads} has {log.size(free)} free and the downloads need "
            f"{log.size(needed)}",
            hint="make room, or set AIRFLOW_DEB_CACHE to a larger disk",
        )

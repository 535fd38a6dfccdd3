"""What to tell someone whose locked file is no longer on the index."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.version import Version

from .choice import releases
from .errors import GoneError
from .index import File
from .lockfile import Lock, Locked


def error(file: Locked, offered: Iterable[File], locks: Iterable[Lock]) -> GoneError:
    """The GoneError for ``file``: which line to write, into which file, and what to run.

    ``offered`` is what the index still has of the project.
    """
    lock = next((lock for lock in locks if file in lock.files), None)
    message = f"{file.filename} ({file.name} {file.version}) is no longer on the index"
    if lock is None:
        return GoneError(message)
    place = f"requirements/{lock.version}/{'build-tools.txt' if lock.is_build else 'overrides.txt'}"
    again = (
        f"make lock VERSION={lock.version} SUITE={lock.suite}" + " SECURITY=1" * lock.is_security
    )
    version = nearest(file, offered)
    if version is None:
        return GoneError(
            message,
            hint=f"nothing is left of {file.name}: replace what needs it in {place}, then {again}",
        )
    if version == Version(file.version):
        return GoneError(message, hint=f"other files of {version} are there: {again}")
    line = f"{file.name}=={version}  # {file.version} is gone from the index"
    return GoneError(message, hint=f"write this line into {place}: {line}; then {again}")


def nearest(file: Locked, offered: Iterable[File]) -> Version | None:
    """The release to take instead of ``file``'s: itself, the next one, or the last before it."""
    wanted = Version(file.version)
    known = {version for other in offered for version in releases(other.filename, file.name)}
    stable = {version for version in known if not version.is_prerelease} or known
    later = [version for version in stable if version >= wanted]
    return min(later) if later else max(stable, default=None)

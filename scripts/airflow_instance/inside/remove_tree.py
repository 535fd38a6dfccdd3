"""Deletes what is in a directory, as the one who owns it.

Runs as the service user: nothing outside of its rights can go, whatever was put into
the tree. Nothing is deleted when something in it is somebody else's, or on another
file system; no link is followed. Arguments: check (and delete nothing) or delete, the
directory, and names directly in it that stay. Prints what is in the way, one path a
line, and exits with 1.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST = 20  # paths to name; more help nobody


def obstacles(fd: int, path: str, device: int, kept: frozenset[str]) -> Iterator[str]:
    """What is below ``fd`` and not the caller's to delete."""
    for name in sorted(os.listdir(fd)):
        if name in kept:
            continue
        place = f"{path}/{name}"
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            # Nobody's data, such as the one of root's from the home to the DAGs.
            continue
        if status.st_uid != os.geteuid():
            yield f"{place} belongs to user {status.st_uid}"
        elif status.st_dev != device:
            yield f"{place} is on another file system"
        elif stat.S_ISDIR(status.st_mode):
            below = os.open(name, _DIRECTORY, dir_fd=fd)
            try:
                yield from obstacles(below, place, device, frozenset())
            finally:
                os.close(below)


def empty(fd: int, device: int, kept: frozenset[str]) -> None:
    """Delete what is below ``fd``."""
    for name in os.listdir(fd):
        if name in kept:
            continue
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(name, dir_fd=fd)
            continue
        below = os.open(name, _DIRECTORY, dir_fd=fd)
        try:
            if os.fstat(below).st_dev == device:
                empty(below, device, frozenset())
        finally:
            os.close(below)
        os.rmdir(name, dir_fd=fd)


def main() -> int:
    verb, place, *names = sys.argv[1:]
    kept = frozenset(names)
    fd = os.open(place, _DIRECTORY)
    device = os.fstat(fd).st_dev
    found = []
    for line in obstacles(fd, place, device, kept):
        found.append(line)
        if len(found) == _MOST:
            break
    if found:
        print("\n".join(found))
        return 1
    if verb == "delete":
        empty(fd, device, kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())

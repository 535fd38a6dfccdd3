"""What a sweep knows of a directory, and what the system says of one."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass

# The memory that may be taken by names which are read before the first is looked at, in
# bytes. Each reading goes through the inodes from the first to the last, so fewer are faster.
BATCH = 28 * 2**20
_EACH = 56  # besides the name: a bytes object, the number of the inode, a place in the list


@dataclass
class Report:
    """What was done. ``bytes`` is what the disk has got back."""

    files: int = 0
    links: int = 0
    directories: int = 0
    bytes: int = 0
    kept: int = 0  # files, links and others that stay; no directories
    mounts: int = 0  # other file systems, left alone
    failed: int = 0  # what could not be read or deleted


class Level:
    """A directory on the way from the top to where the work is."""

    __slots__ = (
        *("name", "fd", "key", "modified", "accessed"),
        *("changed", "keep", "links", "todo", "last", "more"),
    )

    def __init__(self, name: str, fd: int, status: os.stat_result) -> None:
        self.name = name
        self.fd = fd  # -1 while it is closed
        self.key = (status.st_dev, status.st_ino)
        # Read before anything is deleted here, which would make it now.
        self.modified = status.st_mtime_ns
        self.accessed = status.st_atime_ns
        self.changed = False  # by us
        self.keep = False  # something stays in it
        self.links = False  # there are old links to look at
        self.todo: list[str] = []  # directories to visit, the next one last
        self.last = ""  # the one visited last
        self.more = False  # there are others behind ``todo``


def names(fd: int) -> Iterator[bytes]:
    """What is in a directory, many at a time in the order in which they lie on the disk.

    One object for each, of its inode and its name, is a third of the memory that an
    os.DirEntry takes, and is sorted by itself. Raises OSError.
    """
    with os.scandir(fd) as entries:
        while True:
            found: list[bytes] = []
            room = BATCH
            for entry in entries:
                name = os.fsencode(entry.name)
                found.append(entry.inode().to_bytes(8, "big") + name)
                room -= _EACH + len(name)
                if room <= 0:
                    break
            if not found:
                return
            found.sort()
            for item in found:
                yield item[8:]


def mount_id(fd: int) -> int:
    """The mount that an open file was reached through; a device can have several.

    Raises OSError without /proc.
    """
    path = f"/proc/self/fdinfo/{fd}"
    with open(path, "rb", buffering=0) as file:
        _, found, rest = file.read(4096).partition(b"mnt_id:")
    if not found:
        raise OSError(errno.ENOTSUP, "no mnt_id", path)
    return int(rest.split(None, 1)[0])


def dangles(name: str, fd: int) -> bool:
    try:
        os.stat(name, dir_fd=fd)
    except OSError as error:
        # What cannot be known, such as a directory that may not be entered, is not so.
        return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
    return False

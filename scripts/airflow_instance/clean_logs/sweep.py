"""Deleting what is old in a tree that others work in at the same time.

Every step goes from a directory's descriptor to a name in it, and no link is
followed, so that nothing planted in the tree leads elsewhere. Directories are
streamed: neither a million files in one nor a million directories take more than
45 megabytes (a level of depth takes half a kilobyte), and no depth takes more
than a few dozen descriptors.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator

from .level import Level, Report, dangles, mount_id, names

# Levels from the top that keep their descriptor while one below is worked in;
# deeper ones are found again by "..".
KEPT_OPEN = 32
# Names of directories yet to be visited that are remembered, over all levels. A
# directory with more of them is read several times.
NAMES = 65536
_FEWEST = 16  # of them for each level
_TICK = 4096  # entries from one sign of life to the next
_KIND = 0o170000  # the bits of a mode that say what it is

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Somebody else was quicker: it is gone, or something else is there by now.
_OVERTAKEN = frozenset([errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ESTALE])
_NOT_EMPTY = frozenset([errno.ENOTEMPTY, errno.EEXIST])


class Sweep:
    """One run over one tree.

    ``cutoff`` is in nanoseconds since the epoch: what was changed then or later
    stays. ``problem`` hears path and reason of what could not be done, ``deleted``
    the path of what was (or, with ``dry_run``, would be), ``alive`` every now and
    then that the work goes on.
    """

    def __init__(
        self,
        cutoff: int,
        *,
        dry_run: bool = False,
        problem: Callable[[str, str], None] = lambda path, reason: None,
        deleted: Callable[[str], None] | None = None,
        alive: Callable[[Report], None] = lambda report: None,
    ) -> None:
        self.cutoff = cutoff
        self.dry_run = dry_run
        self.report = Report()
        self._problem = problem
        self._deleted = deleted
        self._alive = alive
        self._levels: list[Level] = []
        self._remembered = 0
        self._mount = -1

    def run(self, fd: int) -> Report:
        """Clean the directory that ``fd`` is open on; the directory itself stays.

        Raises OSError when /proc is not there, which tells mounts apart.
        """
        self._mount = mount_id(fd)
        self._enter(Level("", os.dup(fd), os.fstat(fd)))
        try:
            while self._levels:
                level = self._levels[-1]
                name = self._next(level)
                if name:
                    self._descend(level, name)
                else:
                    self._leave(level)
        finally:
            for level in self._levels:
                if level.fd >= 0:
                    os.close(level.fd)
        return self.report

    # From directory to directory.

    def _enter(self, level: Level) -> None:
        self._levels.append(level)
        room = max(_FEWEST, (NAMES - self._remembered) // 2)
        self._remember(level, self._files(level, room), room)

    def _next(self, level: Level) -> str:
        """The directory to visit now; "" when there is none left."""
        if not level.todo and level.more:
            room = max(_FEWEST, (NAMES - self._remembered) // 2)
            self._remember(level, self._behind(level), room)
        if not level.todo:
            return ""
        self._remembered -= 1
        level.last = level.todo.pop()
        return level.last

    def _remember(self, level: Level, names: Iterator[str], room: int) -> None:
        """Keep the first ``room`` of ``names`` by the alphabet, or all when they are fewer."""
        level.more = False
        found: list[str] = []
        for name in names:
            found.append(name)
            if len(found) >= 2 * room:
                found.sort()
                del found[room:]
                level.more = True
        if level.more or len(found) > room:
            found.sort()
            level.more = level.more or len(found) > room
            del found[room:]
        found.reverse()
        level.todo = found
        self._remembered += len(found)

    def _behind(self, level: Level) -> Iterator[str]:
        """The directories that come after the last one visited."""
        device = self._levels[0].key[0]
        for encoded in self._names(level):
            name = os.fsdecode(encoded)
            if name <= level.last:
                continue
            try:
                status = os.stat(name, dir_fd=level.fd, follow_symlinks=False)
            except OSError:
                continue  # it was said when the files were done
            if status.st_mode & _KIND == stat.S_IFDIR and status.st_dev == device:
                yield name

    def _descend(self, level: Level, name: str) -> None:
        try:
            fd = os.open(name, _DIRECTORY, dir_fd=level.fd)
        except OSError as error:
            level.keep = True
            self._failed(error, name)
            return
        try:
            status = os.fstat(fd)
            foreign = status.st_dev != self._levels[0].key[0] or mount_id(fd) != self._mount
        except BaseException:
            os.close(fd)
            raise
        if foreign:
            # A bind mount, which may well be of the same device.
            os.close(fd)
            level.keep = True
            self.report.mounts += 1
            return
        # Whoever may list a directory but not enter it finds no way back from it
        # either, nor any deeper: then this one stays open.
        deep = len(self._levels) > KEPT_OPEN
        if deep and os.access("..", os.F_OK, dir_fd=fd, effective_ids=True):
            os.close(level.fd)
            level.fd = -1
        self._enter(Level(name, fd, status))

    def _leave(self, level: Level) -> None:
        if level.links:
            self._links(level)
        above = self._levels[-2] if len(self._levels) > 1 else None
        found = above is None or above.fd >= 0 or self._reopen(above, level)
        if above and found and self._remove(level, above):
            self.report.directories += 1
            above.changed = True
        else:
            if above:
                above.keep = True
            if level.changed and not self.dry_run:
                self._restore(level)
        os.close(level.fd)
        level.fd = -1
        self._levels.pop()
        if not found:
            self._abandon()

    def _reopen(self, above: Level, level: Level) -> bool:
        """Open the directory that ``level`` was found in; whether it is still there."""
        try:
            fd = os.open("..", _DIRECTORY, dir_fd=level.fd)
            status = os.fstat(fd)
        except OSError:
            return False
        if (status.st_dev, status.st_ino) != above.key:
            os.close(fd)
            return False
        above.fd = fd
        return True

    def _abandon(self) -> None:
        """Go on where the way is still known: a directory was moved under us."""
        self.report.failed += 1
        self._problem(self._path(), "was moved while it was cleaned")
        while self._levels[-1].fd < 0:
            self._remembered -= len(self._levels.pop().todo)
        self._levels[-1].keep = True

    # What is in a directory.

    def _files(self, level: Level, room: int) -> Iterator[str]:
        """Delete the old files of a directory; the names of the directories in it."""
        report, cutoff, fd = self.report, self.cutoff, level.fd
        stat_of, unlink, dry_run = os.stat, os.unlink, self.dry_run  # this loop takes the time
        device = self._levels[0].key[0]
        for count, name in enumerate(self._names(level), 1):
            if not count % _TICK:
                self._alive(report)
            try:
                status = stat_of(name, dir_fd=fd, follow_symlinks=False)
                kind = status.st_mode & _KIND
                delete = kind == stat.S_IFREG and status.st_mtime_ns < cutoff
                if delete and not dry_run:
                    unlink(name, dir_fd=fd)
            except OSError as error:
                level.keep = True
                self._failed(error, os.fsdecode(name))
                continue
            if delete:
                level.changed = True
                report.files += 1
                if status.st_nlink == 1:
                    report.bytes += status.st_blocks * 512
                if self._deleted:
                    self._deleted(self._path(os.fsdecode(name)))
            elif kind == stat.S_IFDIR and status.st_dev == device:
                yield os.fsdecode(name)
            elif kind == stat.S_IFLNK and status.st_mtime_ns < cutoff:
                level.links = True
            else:
                level.keep = True
                if kind == stat.S_IFDIR:
                    # Not even opened: that could have it mounted.
                    report.mounts += 1
                else:
                    report.kept += 1

    def _links(self, level: Level) -> None:
        """Delete the old links that lead nowhere, now that the directories are done.

        One that leads somewhere is somebody's choice, such as logs on another disk.
        """
        for encoded in self._names(level):
            name = os.fsdecode(encoded)
            try:
                status = os.stat(name, dir_fd=level.fd, follow_symlinks=False)
                if status.st_mode & _KIND != stat.S_IFLNK:
                    continue
                if status.st_mtime_ns >= self.cutoff:
                    level.keep = True  # and was counted before
                    continue
                if not dangles(name, level.fd):
                    level.keep = True
                    self.report.kept += 1
                    continue
                if not self.dry_run:
                    os.unlink(name, dir_fd=level.fd)
            except OSError as error:
                level.keep = True
                self._failed(error, name)
                continue
            level.changed = True
            self.report.links += 1
            if self._deleted:
                self._deleted(self._path(name))

    def _names(self, level: Level) -> Iterator[bytes]:
        """What is in a directory. One that cannot be read on is said, and ends there."""
        try:
            yield from names(level.fd)
        except OSError as error:
            level.keep = True
            self._failed(error, "")

    def _remove(self, level: Level, above: Level) -> bool:
        """Remove a directory that is empty and was so, or had only old files, for long."""
        if level.keep or level.modified >= self.cutoff:
            return False
        try:
            # By this name there may be another one by now, which a task has just made;
            # and when it was changed, but not by us, somebody is working in it.
            now = os.stat(level.name, dir_fd=above.fd, follow_symlinks=False)
            if (now.st_dev, now.st_ino) != level.key:
                return False
            if not level.changed and now.st_mtime_ns != level.modified:
                return False
            if not self.dry_run:
                os.rmdir(level.name, dir_fd=above.fd)
        except OSError as error:
            if error.errno not in _NOT_EMPTY:
                self._failed(error, "")
            return False
        if self._deleted:
            self._deleted(self._path())
        return True

    @staticmethod
    def _restore(level: Level) -> None:
        """Make a directory as old as it was: what we deleted did not make it new.

        Otherwise one that loses a file every day would outlive the last by months.
        """
        with contextlib.suppress(OSError):
            os.utime(level.fd, ns=(level.accessed, level.modified))

    # What is said of it.

    def _failed(self, error: OSError, name: str) -> None:
        if error.errno in _OVERTAKEN:
            return
        if error.errno == errno.EBUSY:
            # Something is mounted on it, be it a file.
            self.report.mounts += 1
            return
        self.report.failed += 1
        self._problem(self._path(name), error.strerror or str(error))

    def _path(self, name: str = "") -> str:
        """The path of ``name`` in the directory at work, from the top."""
        return "/".join([*(level.name for level in self._levels[1:]), *([name] if name else [])])

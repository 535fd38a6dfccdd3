"""Files of the host, reached so that nobody but root can lead us elsewhere.

Every path is walked directory by directory through descriptors. A symbolic link
is followed only where root alone could have put it; below a directory that
someone else may write to, none is, and no file with a second name is read. A
file is always replaced as a whole, never written into or given away in place.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import ConflictError, HostError
from .layout import Layout

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_LINKS = 20
_MAX_FILE = 4 * 1024 * 1024


@dataclass(frozen=True)
class Status:
    """What is at a path: ``kind`` is file, directory, link or other."""

    kind: str
    mode: int
    uid: int
    gid: int
    links: int = 1
    target: str = ""


class Tree:
    """The files of one layout."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    # Looking.

    def status(self, path: str) -> Status | None:
        """What is at ``path``, a link not followed; None when there is nothing.

        Raises ConflictError when the way there leads through a link of someone else's.
        """
        with self._parent(path) as (fd, name):
            return _status(fd, name) if fd >= 0 else None

    def read(self, path: str) -> bytes | None:
        """The regular file at ``path``; None when there is no such file to be trusted."""
        with self._parent(path) as (parent, name):
            if parent < 0:
                return None
            try:
                fd = os.open(
                    name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent
                )
            except OSError:
                return None
            try:
                status = os.fstat(fd)
                # A second name may be somebody else's file, hard-linked here to be read.
                if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
                    return None
                with os.fdopen(fd, "rb", closefd=False) as file:
                    return file.read(_MAX_FILE)
            finally:
                os.close(fd)

    def is_empty(self, path: str) -> bool:
        """Whether ``path`` is a directory with nothing in it."""
        found = self.status(path)
        return found is not None and found.kind == "directory" and not self.names(path)

    def names(self, path: str) -> list[str]:
        """What is in the directory ``path``, sorted; [] when it is none."""
        with self._parent(path) as (parent, name):
            if parent < 0:
                return []
            try:
                fd = os.open(name, _DIRECTORY, dir_fd=parent)
            except OSError:
                return []
            try:
                return sorted(os.listdir(fd))
            finally:
                os.close(fd)

    # Changing.

    def write(self, path: str, content: bytes, mode: int, uid: int, gid: int) -> None:
        """Put a new file at ``path``, whole or not at all.

        Raises ConflictError when a directory is there, HostError when the system refuses.
        """
        with self._parent(path, create=True) as (parent, name), _said(path):
            scratch = f".{name}.airflow-instance"
            _unlink(parent, scratch)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(scratch, flags, 0o600, dir_fd=parent)
            try:
                with os.fdopen(fd, "wb") as file:
                    file.write(content)
                    file.flush()
                    _own(fd, uid, gid)
                    os.fchmod(fd, mode)
                    os.fsync(fd)
                os.rename(scratch, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                _unlink(parent, scratch)
                raise
            os.fsync(parent)

    def make_directory(self, path: str, mode: int, uid: int, gid: int) -> None:
        """Make a directory; those above it are made too, as root's, 0755."""
        with self._parent(path, create=True) as (parent, name), _said(path):
            os.mkdir(name, 0o700, dir_fd=parent)
            self._fix(parent, name, mode, uid, gid)

    def move_directory(self, path: str, target: str) -> None:
        """Give a directory another path, on the same file system.

        Raises ConflictError when something is there, HostError when the system refuses.
        """
        with contextlib.ExitStack() as stack:
            parent, name = stack.enter_context(self._parent(path))
            other, new = stack.enter_context(self._parent(target, create=True))
            if _status(other, new) is not None:
                raise ConflictError(f"{target} is there already", hint="move it out of the way")
            try:
                os.rename(name, new, src_dir_fd=parent, dst_dir_fd=other)
            except OSError as error:
                raise HostError(
                    f"{path} cannot become {target}: {error.strerror}",
                    hint="on another file system, copy it by hand and set airflow_home",
                ) from error

    def fix_directory(self, path: str, mode: int, uid: int, gid: int) -> None:
        """Give a directory its mode and owner."""
        with self._parent(path) as (parent, name), _said(path):
            self._fix(parent, name, mode, uid, gid)

    def link(self, path: str, target: str) -> None:
        """Put a symbolic link at ``path``, in place of another link if there is one."""
        with self._parent(path, create=True) as (parent, name), _said(path):
            scratch = f".{name}.airflow-instance"
            _unlink(parent, scratch)
            os.symlink(target, scratch, dir_fd=parent)
            os.rename(scratch, name, src_dir_fd=parent, dst_dir_fd=parent)

    def remove(self, path: str) -> None:
        """Remove a file or a link; nothing happens when there is none."""
        with self._parent(path) as (parent, name), _said(path):
            if parent >= 0:
                _unlink(parent, name)

    def remove_directory(self, path: str) -> bool:
        """Remove a directory if it is empty; whether it was."""
        with self._parent(path) as (parent, name):
            try:
                os.rmdir(name, dir_fd=parent)
            except OSError:
                return False
            return True

    # The way there.

    def _fix(self, parent: int, name: str, mode: int, uid: int, gid: int) -> None:
        fd = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            _own(fd, uid, gid)
            os.fchmod(fd, mode)
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _parent(self, path: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        """A descriptor of the directory that holds ``path``, and the last name; (-1, …) if none."""
        parts = [part for part in path.split("/") if part]
        fd = self._walk(parts[:-1], path, create=create)
        try:
            yield fd, parts[-1]
        finally:
            if fd >= 0:
                os.close(fd)

    def _walk(self, parts: list[str], path: str, *, create: bool) -> int:
        here = os.open(self.layout.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        todo, done, links = list(parts), list[str](), 0
        while todo:
            name = todo.pop(0)
            status = _status(here, name)
            if status is None and create:
                with _said(path):
                    os.mkdir(name, 0o755, dir_fd=here)
            elif status is None:
                os.close(here)
                return -1
            elif status.kind == "link":
                links += 1
                trusted = _only_root_writes(here)
                os.close(here)
                if not trusted or links > _MAX_LINKS:
                    raise ConflictError(
                        f"/{'/'.join([*done, name])} is a symbolic link that others than root "
                        f"can change",
                        hint=f"make it a directory, or give its real path instead of {path}",
                    )
                target = [part for part in status.target.split("/") if part]
                todo = target + todo if status.target.startswith("/") else done + target + todo
                todo = _without_dots(todo)
                here = os.open(self.layout.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                done = []
                continue
            try:
                below = os.open(name, _DIRECTORY, dir_fd=here)
            except OSError as error:
                raise ConflictError(
                    f"/{'/'.join([*done, name])} is no directory, so {path} cannot be",
                    hint="move it out of the way",
                ) from error
            finally:
                os.close(here)
            here = below
            done.append(name)
        return here


def _without_dots(parts: list[str]) -> list[str]:
    result: list[str] = []
    for part in parts:
        if part == "..":
            del result[-1:]
        elif part != ".":
            result.append(part)
    return result


def _only_root_writes(fd: int) -> bool:
    status = os.fstat(fd)
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & 0o022


def _status(fd: int, name: str) -> Status | None:
    try:
        found = os.stat(name, dir_fd=fd, follow_symlinks=False)
        target = os.readlink(name, dir_fd=fd) if stat.S_ISLNK(found.st_mode) else ""
    except FileNotFoundError:
        return None
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
    return Status(
        kind=kinds.get(stat.S_IFMT(found.st_mode), "other"),
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        links=found.st_nlink,
        target=target,
    )


def _unlink(parent: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent)


def _own(fd: int, uid: int, gid: int) -> None:
    # Only root may give files away; without it, below an alternate root, there is
    # one owner and nothing to give.
    if os.geteuid() == 0:
        os.fchown(fd, uid, gid)


@contextlib.contextmanager
def _said(path: str) -> Iterator[None]:
    """Say what the system refused, and of which path."""
    try:
        yield
    except (IsADirectoryError, NotADirectoryError) as error:
        raise ConflictError(
            f"{path}: something else is there", hint="move it out of the way"
        ) from error
    except OSError as error:
        raise HostError(
            f"{path}: {error.strerror}", hint="see whether the disk is full or read-only"
        ) from error

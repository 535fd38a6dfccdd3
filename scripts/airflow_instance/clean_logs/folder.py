"""The folder to clean: whether it is one, and nobody else is cleaning it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import re
import sys
from collections.abc import Iterator

from ..errors import BusyError, ConflictError, HostError

PROGRAM = "clean_logs"

# Nothing below these is a log of ours, and the others are not for one program alone.
_SYSTEM = re.compile(r"/(?:bin|boot|dev|etc|lib\w*|proc|root|sbin|sys|usr)(?:/.*)?")
_SHARED = (
    *("/", "/home", "/media", "/mnt", "/opt", "/run", "/srv", "/tmp", "/var"),
    *("/var/backups", "/var/cache", "/var/lib", "/var/log", "/var/spool", "/var/tmp"),
)
_OF_A_HOME = ("airflow.cfg", "airflow.db", "webserver_config.py")


@contextlib.contextmanager
def opened(path: str) -> Iterator[tuple[int, str]]:
    """A locked descriptor of the folder, and its real path.

    Raises ConflictError when it is not one of logs alone, BusyError when another
    run has it, HostError when it cannot be opened.
    """
    folder = os.path.realpath(path)
    if folder != os.path.abspath(path):
        print(f"{PROGRAM}: {shown(path)} leads to {shown(folder)}", file=sys.stderr)
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except NotADirectoryError as error:
        raise ConflictError(f"{shown(folder)} is no directory", hint="give one") from error
    except OSError as error:
        raise HostError(f"{shown(folder)}: {error.strerror}") from error
    try:
        check_folder(folder, os.fstat(fd))
        try:
            # On the directory itself: it needs no file, and is gone with the process.
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(
                f"another {PROGRAM} is at work in {shown(folder)}", hint="let it finish"
            ) from error
        except OSError as error:
            raise HostError(f"{shown(folder)}: cannot be locked: {error.strerror}") from error
        yield fd, folder
    finally:
        os.close(fd)


def check_folder(folder: str, status: os.stat_result) -> None:
    """Raise ConflictError for a directory that holds, or may hold, more than logs."""
    what = ""
    homes = {_home(os.geteuid()), _home(status.st_uid), os.environ.get("AIRFLOW_HOME", "")}
    above = {parent for home in homes for parent in _with_parents(home)}
    if _SYSTEM.fullmatch(folder) or any(_same(status, path) for path in _SHARED):
        what = "is the system's"
    elif any(_same(status, path) for path in above):
        what = "is a home, or holds one"
    elif any(os.path.lexists(f"{folder}/{name}") for name in _OF_A_HOME):
        what = "is an AIRFLOW_HOME"
    if what:
        raise ConflictError(
            f"{shown(folder)} {what}: what is old there is not for deletion",
            hint="give the folder that holds logs and nothing else",
        )


def _home(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return ""


def _with_parents(path: str) -> Iterator[str]:
    path = os.path.realpath(path) if path.startswith("/") else ""
    while path not in ("", "/"):
        yield path
        path = os.path.dirname(path)


def _same(status: os.stat_result, path: str) -> bool:
    """Whether a path leads to the same directory, be it by another mount."""
    try:
        return os.path.samestat(status, os.stat(path))
    except OSError:
        return False


def shown(text: str) -> str:
    """A path as it can be printed: whoever named the file may mean harm to a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

"""Reading a file of /etc/airflow that root is going to believe."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from .errors import DeclarationError

MAX_BYTES = 256 * 1024


@dataclass(frozen=True)
class Source:
    """What a file holds, and who may read it."""

    path: Path
    text: str
    mode: int


def read(path: Path, where: str, *, secret: bool = False) -> Source | None:
    """The file at ``path``, called ``where`` in messages; None when there is none.

    Raises DeclarationError when it is no regular file, when someone other than
    its owner may change it (or, for a ``secret`` one, read it), when its owner
    is neither root nor the caller, when it is too big or not UTF-8.
    """
    try:
        # NONBLOCK: opening a named pipe must not wait for its writer.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise DeclarationError(
                f"{where}: is a symbolic link", hint="put the file itself there"
            ) from error
        raise DeclarationError(
            f"{where}: cannot be read: {error.strerror}", hint="run this as root"
        ) from error
    try:
        status = os.fstat(fd)
        _trust(status, where, secret=secret)
        with os.fdopen(fd, "rb", closefd=False) as file:
            data = file.read(MAX_BYTES + 1)
    finally:
        os.close(fd)
    if len(data) > MAX_BYTES:
        raise DeclarationError(
            f"{where}: is larger than {MAX_BYTES // 1024} KiB", hint="a declaration is short text"
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DeclarationError(
            f"{where}:{line}: is not UTF-8 text (byte 0x{data[error.start]:02x})",
            hint="save it as UTF-8",
        ) from error
    return Source(path, text, stat.S_IMODE(status.st_mode))


def _trust(status: os.stat_result, where: str, *, secret: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise DeclarationError(f"{where}: is {kind}", hint="put a YAML file there")
    if status.st_uid not in (0, os.geteuid()):
        raise DeclarationError(
            f"{where}: belongs to user {status.st_uid}, who could change it",
            hint=f"chown root {where}",
        )
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o022:
        raise DeclarationError(
            f"{where}: mode {mode:04o} lets others change it", hint=f"chmod go-w {where}"
        )
    if secret and mode & 0o077:
        raise DeclarationError(
            f"{where}: mode {mode:04o} lets others read secrets", hint=f"chmod 0600 {where}"
        )

"""Running a server's own client program."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import HostError

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_SECONDS = 60  # for one statement; a server that takes longer hangs


@dataclass(frozen=True)
class Said:
    """What a client said. ``status`` is its exit status."""

    status: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """The first line, which says what is wrong; those behind it guess why."""
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        return lines[0] if lines else f"status {self.status}"


def find(programs: Sequence[str], *, server: str, package: str) -> str:
    """The first of ``programs`` that is installed.

    Raises HostError, naming the Debian package, when none is.
    """
    for program in programs:
        path = shutil.which(program, path=_PATH)
        if path:
            return path
    raise HostError(
        f"there is no {server} on this host",
        hint=f"apt install {package}, or set db_host to where there is one",
    )


def run(
    command: Sequence[str],
    text: str = "",
    *,
    user: str = "",
    variables: Mapping[str, str] | None = None,
) -> Said:
    """Run a client with ``text`` on its standard input, as ``user`` or as who we are.

    Secrets belong into ``text`` or ``variables``: the command line can be seen by
    everyone, another user's environment by root alone.

    Raises HostError when it cannot be started or does not end.
    """
    environment = {"PATH": _PATH, "LC_ALL": "C.UTF-8", "HOME": "/root", **(variables or {})}
    switch: dict[str, object] = {}
    if user and os.geteuid() == 0:
        try:
            account = pwd.getpwnam(user)
        except KeyError:
            raise HostError(f"there is no user {user}") from None
        environment["HOME"] = account.pw_dir
        groups = os.getgrouplist(user, account.pw_gid)
        switch = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}
    try:
        done = subprocess.run(  # type: ignore[call-overload]
            command,
            input=text,
            env=environment,
            cwd="/",
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=False,
            **switch,
        )
    except OSError as error:
        raise HostError(f"{command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise HostError(f"{command[0]} has not answered in {_SECONDS} s") from error
    return Said(done.returncode, done.stdout, done.stderr)

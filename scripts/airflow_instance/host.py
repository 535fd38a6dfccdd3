"""The host's accounts and units; below an alternate root, what stands for them."""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .errors import HostError
from .layout import Layout

_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True)
class Account:
    """A user of the system."""

    uid: int
    gid: int


class Host(Protocol):
    """What the engine asks of a host beside its files."""

    def user(self, name: str) -> Account | None:
        """The user called ``name``."""

    def group(self, name: str) -> int | None:
        """The id of the group called ``name``."""

    def create_group(self, name: str) -> None:
        """Make a system group."""

    def create_user(self, name: str, group: str, home: str, comment: str) -> None:
        """Make a system user that nobody can log in as."""

    def delete_user(self, name: str) -> None:
        """Take back `create_user`."""

    def delete_group(self, name: str) -> None:
        """Take back `create_group`."""

    @property
    def can_start(self) -> bool:
        """Whether there is a systemd to start units; in a plain container there is none."""

    def active(self, units: Sequence[str]) -> list[str]:
        """Those of ``units`` that are running or starting."""

    def systemctl(self, *arguments: str) -> None:
        """Have systemd do something."""


def run(command: Sequence[str]) -> str:
    """Run a command in a small clean environment; what it printed.

    Raises HostError with the command's own last words.
    """
    try:
        done = subprocess.run(
            command,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise HostError(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise HostError(
            f"{shlex.join(command)} failed: {words[-1] if words else f'status {done.returncode}'}"
        )
    return done.stdout


class RealHost:
    """This host."""

    def user(self, name: str) -> Account | None:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            return None
        return Account(entry.pw_uid, entry.pw_gid)

    def group(self, name: str) -> int | None:
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            return None

    def create_group(self, name: str) -> None:
        run(["groupadd", "--system", name])

    def create_user(self, name: str, group: str, home: str, comment: str) -> None:
        place = ["--home-dir", home, "--no-create-home", "--shell", "/usr/sbin/nologin"]
        run(["useradd", "--system", "--gid", group, *place, "--comment", comment, name])

    def delete_user(self, name: str) -> None:
        run(["userdel", name])

    def delete_group(self, name: str) -> None:
        run(["groupdel", name])

    @property
    def can_start(self) -> bool:
        return os.path.isdir("/run/systemd/system")

    def active(self, units: Sequence[str]) -> list[str]:
        if not units or not self.can_start:
            return []
        done = subprocess.run(
            ["systemctl", "is-active", "--", *units],
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        running = ("active", "activating", "reloading")
        return [u for u, state in zip(units, done.stdout.split()) if state in running]

    def systemctl(self, *arguments: str) -> None:
        # In a container without systemd there is nothing to tell.
        if self.can_start:
            run(["systemctl", *arguments])


class PaperHost:
    """An alternate root: accounts are lines of its etc/passwd, units never run."""

    def __init__(self, layout: Layout) -> None:
        self.passwd = layout.real("/etc/passwd")
        self.groups = layout.real("/etc/group")

    def _lines(self, name: str, *, groups: bool = False) -> list[list[str]]:
        path = self.groups if groups else self.passwd
        text = path.read_text("utf-8") if path.exists() else ""
        return [line.split(":") for line in text.splitlines() if line.split(":")[0] == name]

    def user(self, name: str) -> Account | None:
        if name == "root" or os.geteuid() != 0:
            known = name == "root" or self._lines(name)
            return Account(os.geteuid(), os.getegid()) if known else None
        found = self._lines(name)
        return Account(int(found[0][2]), int(found[0][3])) if found else None

    def group(self, name: str) -> int | None:
        if name == "root" or os.geteuid() != 0:
            return os.getegid() if name == "root" or self._lines(name, groups=True) else None
        found = self._lines(name, groups=True)
        return int(found[0][2]) if found else None

    def create_group(self, name: str) -> None:
        self._append(self.groups, name, "x:{id}:")

    def create_user(self, name: str, group: str, home: str, comment: str) -> None:
        gid = self._lines(group, groups=True)[0][2]
        self._append(self.passwd, name, f"x:{{id}}:{gid}:{comment}:{home}:/usr/sbin/nologin")

    def delete_user(self, name: str) -> None:
        self._delete(self.passwd, name)

    def delete_group(self, name: str) -> None:
        self._delete(self.groups, name)

    @property
    def can_start(self) -> bool:
        return False

    def active(self, units: Sequence[str]) -> list[str]:
        return []

    def systemctl(self, *arguments: str) -> None:
        pass

    def _append(self, path: os.PathLike[str], name: str, rest: str) -> None:
        lines = self._read(path)
        lines.append(f"{name}:{rest.format(id=60001 + len(lines))}\n")
        self._write(path, lines)

    def _delete(self, path: os.PathLike[str], name: str) -> None:
        self._write(path, [line for line in self._read(path) if line.split(":")[0] != name])

    @staticmethod
    def _read(path: os.PathLike[str]) -> list[str]:
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            return file.readlines()

    @staticmethod
    def _write(path: os.PathLike[str], lines: Sequence[str]) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(lines)


def of(layout: Layout) -> Host:
    """The host that a layout belongs to."""
    return PaperHost(layout) if layout.alternate else RealHost()

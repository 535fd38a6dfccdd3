"""The host's accounts and units; below an alternate root, what stands for them."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from . import database
from .database import Server
from .database.paper import PaperServer
from .layout import Layout
from .run import accepted, run
from .systemd import Manager, NoSystemd, Systemd


@dataclass(frozen=True)
class Account:
    """A user of the system."""

    uid: int
    gid: int
    comment: str = ""
    home: str = ""


class Host(Manager, Protocol):
    """What the engine asks of a host beside its files."""

    def user(self, name: str) -> Account | None:
        """The user called ``name``."""

    def group(self, name: str) -> int | None:
        """The id of the group called ``name``."""

    def create_group(self, name: str) -> None:
        """Make a system group."""

    def create_user(self, name: str, group: str, home: str, comment: str) -> None:
        """Make a system user that nobody can log in as."""

    def set_home(self, name: str, home: str) -> None:
        """Change a user's home in the list of users; nothing is moved."""

    def delete_user(self, name: str) -> None:
        """Take back `create_user`."""

    def delete_group(self, name: str) -> None:
        """Take back `create_group`."""

    def check(self, command: Sequence[str], content: bytes) -> str:
        """Why a program does not accept a file's ``content``; "" when it does, or is not there."""

    def server(self, kind: str) -> Server:
        """This host's database server of a kind."""


class RealHost(Systemd):
    """This host."""

    def user(self, name: str) -> Account | None:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            return None
        return Account(entry.pw_uid, entry.pw_gid, entry.pw_gecos, entry.pw_dir)

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

    def set_home(self, name: str, home: str) -> None:
        run(["usermod", "--home", home, name])

    def delete_user(self, name: str) -> None:
        run(["userdel", name])

    def delete_group(self, name: str) -> None:
        # userdel takes a group of the same name along where login.defs says so.
        if self.group(name) is not None:
            run(["groupdel", name])

    def check(self, command: Sequence[str], content: bytes) -> str:
        return accepted(command, content)

    def server(self, kind: str) -> Server:
        return database.of(kind)


class PaperHost(NoSystemd):
    """An alternate root: accounts are lines of its etc/passwd, units never run."""

    def __init__(self, layout: Layout) -> None:
        self.passwd = layout.real("/etc/passwd")
        self.groups = layout.real("/etc/group")
        self.databases = layout.real("/var/lib/airflow-instances/paper-databases.json")

    def _lines(self, name: str, *, groups: bool = False) -> list[list[str]]:
        path = self.groups if groups else self.passwd
        text = path.read_text("utf-8") if path.exists() else ""
        return [line.split(":") for line in text.splitlines() if line.split(":")[0] == name]

    def user(self, name: str) -> Account | None:
        found = self._lines(name)
        if name != "root" and not found:
            return None
        uid, gid, comment, home = found[0][2:6] if found else ("0", "0", "", "/root")
        if name == "root" or os.geteuid() != 0:
            uid, gid = str(os.geteuid()), str(os.getegid())
        return Account(int(uid), int(gid), comment, home)

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

    def set_home(self, name: str, home: str) -> None:
        (found,) = self._lines(name)
        self._delete(self.passwd, name)
        rest = ":".join([*found[1:5], home, *found[6:]])
        self._write(self.passwd, [*self._read(self.passwd), f"{name}:{rest}\n"])

    def delete_user(self, name: str) -> None:
        self._delete(self.passwd, name)

    def delete_group(self, name: str) -> None:
        self._delete(self.groups, name)

    def check(self, command: Sequence[str], content: bytes) -> str:
        return ""

    def server(self, kind: str) -> Server:
        return PaperServer(self.databases, kind)

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

"""What `apply` does to a host, one step each. A plan is a list of these."""

from __future__ import annotations

import difflib
import shlex
from dataclasses import dataclass, field
from typing import Union

from .items import DatabaseItem, PackagesItem
from .secrecy import mask_config_line

_SHOWN = 5  # packages that are named


@dataclass(frozen=True)
class CreateGroup:
    name: str

    def describe(self) -> str:
        return f"create group {self.name}"


@dataclass(frozen=True)
class CreateUser:
    name: str
    group: str
    home: str
    comment: str

    def describe(self) -> str:
        return f"create user {self.name} (group {self.group}, home {self.home})"


@dataclass(frozen=True)
class MakeDirectory:
    path: str
    mode: int
    owner: str
    group: str

    def describe(self) -> str:
        return f"make directory {self.path} ({self.mode:04o} {self.owner}:{self.group})"


@dataclass(frozen=True)
class MoveHome:
    """Give a home another path, and tell the system's list of users."""

    path: str
    target: str
    user: str

    def describe(self) -> str:
        return f"move {self.path} to {self.target}"


@dataclass(frozen=True)
class FixDirectory:
    path: str
    mode: int
    owner: str
    group: str

    def describe(self) -> str:
        return f"set {self.path} to {self.mode:04o} {self.owner}:{self.group}"


@dataclass(frozen=True)
class WriteFile:
    """Put a file in place; ``old`` is what was there, None when it was nothing to keep."""

    path: str
    content: bytes = field(repr=False)
    old: bytes | None = field(repr=False)
    mode: int
    owner: str
    group: str
    kind: str = ""
    check: tuple[str, ...] = ()

    def describe(self) -> str:
        verb = "write" if self.old is None else "rewrite"
        if self.old == self.content:
            verb = "set mode and owner of"
        return f"{verb} {self.path} ({self.mode:04o} {self.owner}:{self.group})"

    def diff(self) -> list[str]:
        """The change line by line, secrets masked."""
        before = (self.old or b"").decode("utf-8", "replace").splitlines()
        after = self.content.decode("utf-8", "replace").splitlines()
        if self.path.endswith(".yaml"):
            # Passwords may be anywhere in it, and a mask that forgets one is worse
            # than no diff.
            return [] if before == after else ["  (content not shown: it may hold secrets)"]
        lines = difflib.unified_diff(before, after, self.path, self.path, lineterm="", n=1)
        return [mask_config_line(line) for line in lines]


@dataclass(frozen=True)
class MakeLink:
    """Make a link; with ``over_directory`` an empty directory makes room."""

    path: str
    target: str
    old: str = ""
    over_directory: bool = False

    def describe(self) -> str:
        return f"link {self.path} -> {self.target}"


@dataclass(frozen=True)
class Remove:
    """Remove a file or link of ours."""

    path: str
    kind: str = ""

    def describe(self) -> str:
        return f"remove {self.path}"


@dataclass(frozen=True)
class Systemctl:
    """Have systemd do something; ``arguments`` as for systemctl."""

    arguments: tuple[str, ...]

    def describe(self) -> str:
        return f"systemctl {shlex.join(self.arguments)}"


@dataclass(frozen=True)
class CreateRole:
    """Make a database's user on this host's server."""

    item: DatabaseItem

    def describe(self) -> str:
        return f"create {self.item.kind} user {self.item.user}"


@dataclass(frozen=True)
class SetPassword:
    """Give a database's user the password that the instance has."""

    item: DatabaseItem

    def describe(self) -> str:
        return f"set the password of {self.item.kind} user {self.item.user}"


@dataclass(frozen=True)
class CreateDatabase:
    item: DatabaseItem

    def describe(self) -> str:
        return f"create {self.item.kind} database {self.item.name} of {self.item.user}"


@dataclass(frozen=True)
class DropDatabase:
    """Remove a database and its user. There is no way back but a backup."""

    item: DatabaseItem

    def describe(self) -> str:
        return f"drop {self.item.kind} database {self.item.name} and user {self.item.user}"


@dataclass(frozen=True)
class InstallPackages:
    """Unpack an instance's extra packages, as its user."""

    item: PackagesItem

    def describe(self) -> str:
        shown = ", ".join(self.item.names[:_SHOWN])
        more = len(self.item.names) - _SHOWN
        shown += f" and {more} more" if more > 0 else ""
        return f"unpack {shown} into {self.item.path}"


@dataclass(frozen=True)
class PrunePackages:
    """Delete what was unpacked before, when nothing runs from it any more."""

    item: PackagesItem
    gone: tuple[str, ...]

    def describe(self) -> str:
        return f"delete {', '.join(f'{self.item.directory}/{name}' for name in self.gone)}"


Change = Union[
    CreateGroup,
    CreateUser,
    MakeDirectory,
    FixDirectory,
    MoveHome,
    WriteFile,
    MakeLink,
    Remove,
    Systemctl,
    CreateRole,
    SetPassword,
    CreateDatabase,
    DropDatabase,
    InstallPackages,
    PrunePackages,
]

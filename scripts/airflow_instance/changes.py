"""What `apply` does to a host, one step each. A plan is a list of these."""

from __future__ import annotations

import difflib
import shlex
from dataclasses import dataclass, field
from typing import Union

from .secrecy import mask_config_line


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


Change = Union[
    CreateGroup,
    CreateUser,
    MakeDirectory,
    FixDirectory,
    WriteFile,
    MakeLink,
    Remove,
    Systemctl,
]

"""A .deb taken apart in one pass: what each member is, and its content on disk.

dpkg-deb unpacks, tarfile reads its stream; owners and modes come from there,
since a user who is not root could not restore them.
"""

from __future__ import annotations

import hashlib
import itertools
import posixpath
import subprocess
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from email.parser import HeaderParser
from functools import cached_property
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Member:
    """A file, directory or link of the package, under its path once installed."""

    path: str
    kind: str
    mode: int
    owner: tuple[int, int, str, str]
    target: str
    size: int
    time: int  # of its last change, in seconds since 1970
    digest: bytes
    md5: str
    head: bytes
    names: tuple[str, ...]

    @property
    def leads_to(self) -> str:
        """For a link: the path it leads to."""
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.path), self.target))


@dataclass(frozen=True)
class Deb:
    """An opened package: its members by path, the control archive's files, its fields."""

    # Not in its repr, which pytest shows of a failed test's arguments.
    members: dict[str, Member] = field(repr=False)
    unpacked: Path
    control: dict[str, str] = field(repr=False)

    @cached_property
    def fields(self) -> dict[str, str]:
        """The fields of the control file, each on one line."""
        parsed = HeaderParser().parsestr(self.control["control"])
        return {key: " ".join(str(value).split()) for key, value in parsed.items()}

    @cached_property
    def files(self) -> dict[str, Member]:
        """The regular files."""
        return {path: m for path, m in self.members.items() if m.kind == "file"}

    def file(self, path: str) -> Member | None:
        """The regular file ``path``, or the one that a link of this path leads to."""
        member = self.members.get(path)
        if member is not None and member.kind == "link":
            member = self.members.get(member.leads_to)
        return member if member is not None and member.kind == "file" else None

    def relations(self, field: str) -> dict[str, str]:
        """A field like Depends: each package with its version relation, empty without one.

        Alternatives stay together, as they are written.
        """
        found = {}
        for part in self.fields.get(field, "").split(","):
            name, _, version = part.strip().partition(" (")
            if name:
                found[part.strip() if " | " in part else name] = version.rstrip(")")
        return found

    def read(self, path: str) -> bytes:
        """The content of the regular file ``path``."""
        assert path in self.members, f"{path} is not in the package"
        return (self.unpacked / path.lstrip("/")).read_bytes()


def listing(faults: Iterable[object]) -> str:
    """The first of many faults, a line each; pytest would show one, or take minutes."""
    return "\n".join(str(fault) for fault in itertools.islice(faults, 20))


def open_deb(deb: Path, target: Path, needles: Sequence[str]) -> Deb:
    """Unpack ``deb`` below ``target``; note which of ``needles`` its files name."""
    searched = [(needle, needle.encode()) for needle in needles]
    members: dict[str, Member] = {}
    with _archive(["dpkg-deb", "--fsys-tarfile", str(deb)]) as archive:
        for info in archive:
            path = "/" + info.name.removeprefix("./").strip("/")
            data = b""
            place = target / path.lstrip("/")
            if info.isreg() or info.issym():
                place.parent.mkdir(parents=True, exist_ok=True)
            if info.isreg():
                file = archive.extractfile(info)
                assert file is not None
                data = file.read()
                place.write_bytes(data)
            elif info.issym():
                place.symlink_to(info.linkname)
            assert path not in members, f"{path} is in the package twice"
            members[path] = _member(path, info, data, searched)
    with _archive(["dpkg-deb", "--ctrl-tarfile", str(deb)]) as archive:
        control = dict(_texts(archive))
    return Deb(members, target, control)


class _archive:
    """A context manager: the tar archive that a command writes, as a stream."""

    def __init__(self, command: list[str]) -> None:
        self._command = command

    def __enter__(self) -> tarfile.TarFile:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE)
        stream: IO[bytes] | None = self._process.stdout
        assert stream is not None
        self._tar = tarfile.open(fileobj=stream, mode="r|")
        return self._tar

    def __exit__(self, *error: object) -> None:
        self._tar.close()
        assert self._process.stdout is not None
        # What follows the end of the archive, so that dpkg-deb can end too.
        self._process.stdout.read()
        self._process.stdout.close()
        status = self._process.wait()
        assert error[0] is not None or status == 0, f"{self._command[0]} ended with {status}"


def _member(
    path: str, info: tarfile.TarInfo, data: bytes, needles: Iterable[tuple[str, bytes]]
) -> Member:
    kinds = {tarfile.DIRTYPE: "directory", tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "hard link"}
    return Member(
        path=path,
        kind="file" if info.isreg() else kinds.get(info.type, "special"),
        mode=info.mode,
        owner=(info.uid, info.gid, info.uname, info.gname),
        target=info.linkname,
        size=len(data),
        time=int(info.mtime),
        digest=hashlib.sha256(data).digest(),
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
        head=data[:64],
        names=tuple(
            name for name, needle in needles if needle in data or needle in info.linkname.encode()
        ),
    )


def _texts(archive: tarfile.TarFile) -> Iterable[tuple[str, str]]:
    for info in archive:
        if info.isreg():
            file = archive.extractfile(info)
            assert file is not None
            yield info.name.removeprefix("./"), file.read().decode()

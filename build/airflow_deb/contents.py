"""What a built package says of itself: its control fields, and what is inside.

Read from the tree that it is packed from, which costs nothing, or from the .deb.
"""

from __future__ import annotations

import email.parser
import fnmatch
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from .errors import VerifyError
from .run import environment, require, run

# dpkg's names begin with a dot; a tree's are made so.
_INVENTORY = "./usr/share/*/inventory.json"
_METADATA = "./usr/lib/*/site-packages/*.dist-info/METADATA"


@dataclass(frozen=True)
class Relation:
    """A Debian package that another one names in ``field``; ``text`` has its alternatives."""

    field: str
    name: str
    text: str


@dataclass(frozen=True)
class Contents:
    """A package: its control fields, the distributions inside, and what each requires.

    ``inventory`` is what debian/lib/inventory.py wrote, empty for a package without
    Python distributions; ``requires`` are Requires-Dist lines by canonical name.
    """

    control: Mapping[str, str]
    inventory: tuple[Mapping[str, Any], ...]
    requires: Mapping[str, tuple[str, ...]]

    def relations(self, *fields: str) -> list[Relation]:
        """The packages that the control ``fields`` name, each by its first alternative."""
        return [
            Relation(field, re.split(r"[\s(:|]", text, maxsplit=1)[0], text)
            for field in fields
            for raw in self.control.get(field, "").split(",")
            if (text := " ".join(raw.split()))
        ]


def of_tree(tree: Path) -> Contents:
    """The contents of the package that is packed from ``tree``, which has its DEBIAN/control."""
    files = [
        (f"./{path.relative_to(tree).as_posix()}", path.read_bytes())
        for pattern in (_INVENTORY, _METADATA)
        for path in sorted(tree.glob(_deep(pattern)))
    ]
    return _contents((tree / "DEBIAN" / "control").read_text(encoding="utf-8"), iter(files))


def of_deb(deb: Path) -> Contents:
    """The contents of ``deb``.

    Raises VerifyError for a file that is no Debian package.
    """
    done = run(["dpkg-deb", "--field", deb], check=False)
    if done.status != 0:
        raise VerifyError(f"{deb.name} is no Debian package", detail=done.stderr.strip())
    return _contents(done.stdout, _files(deb))


def _files(deb: Path) -> Iterator[tuple[str, bytes]]:
    """The files of ``deb`` that tell what is inside; it is read as a stream, to its end."""
    require("dpkg-deb")
    words = ["dpkg-deb", "--fsys-tarfile", str(deb)]
    process = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE)
    try:
        with process, tarfile.open(fileobj=process.stdout, mode="r|") as members:
            for member in members:
                if any(fnmatch.fnmatch(member.name, p) for p in (_INVENTORY, _METADATA)):
                    opened = members.extractfile(member)
                    if opened is not None:
                        yield member.name, opened.read()
    except (tarfile.TarError, EOFError) as error:
        raise VerifyError(f"{deb.name} cannot be unpacked: {error}") from error
    if process.returncode != 0:
        raise VerifyError(f"{deb.name} cannot be unpacked")


def _contents(control: str, files: Iterator[tuple[str, bytes]]) -> Contents:
    fields = dict(email.parser.HeaderParser().parsestr(control).items())
    inventory: list[Mapping[str, Any]] = []
    requires: dict[str, tuple[str, ...]] = {}
    for name, content in files:
        if name.endswith("/inventory.json"):
            inventory += json.loads(content)["distributions"]
        else:
            metadata = email.parser.HeaderParser().parsestr(content.decode("utf-8", "replace"))
            lines = tuple(str(line) for line in metadata.get_all("Requires-Dist", []))
            requires[canonicalize_name(str(metadata["Name"]))] = lines
    return Contents(fields, tuple(inventory), requires)


def _deep(pattern: str) -> str:
    """``pattern`` for Path.glob, whose * stays in one directory, unlike that of fnmatch."""
    return pattern.removeprefix("./").replace("usr/lib/*/site", "usr/lib/*/lib/*/site")

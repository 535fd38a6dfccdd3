"""The builder's own Python tools as files: what of requirements/tools.lock a bundle needs.

That lock holds the hashes of every platform's files (see toolslock.py). A machine without
a network has some Python that Debian or Ubuntu brings; for each of these the best file
is taken.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from . import index
from .candidates import locate
from .choice import Target
from .errors import ConfigError
from .lockfile import Lock, Locked
from .paths import Paths, shown
from .requires import environment

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# That of Debian 12, the oldest release whose python3 the builder runs on.
_GLIBC = "2.36"
_ENTRY = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)\s*(?:;\s*(?P<marker>[^\\\n]+))?"
    r"(?P<hashes>(?:\\\n\s+--hash=sha256:[0-9a-f]{64}\s*)+)",
    re.MULTILINE,
)
_HASH = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Tool:
    """A distribution in tools.lock: when it is needed, and the files that may be taken."""

    name: str
    version: str
    marker: Marker | None
    hashes: frozenset[str]


def parse(text: str) -> tuple[Tool, ...]:
    """The entries of ``text``, the content of tools.lock."""
    return tuple(
        Tool(
            canonicalize_name(match["name"]),
            match["version"],
            Marker(match["marker"].strip()) if match["marker"] else None,
            frozenset(_HASH.findall(match["hashes"])),
        )
        for match in _ENTRY.finditer(text)
    )


def locked(paths: Paths) -> Lock:
    """Every file that pip takes from tools.lock on one of PYTHONS, asked of the index.

    Raises ConfigError when the index has another file than was locked, NetworkError when
    it does not answer.
    """
    path = paths.requirements / "tools.lock"
    entries = parse(path.read_text(encoding="utf-8"))
    source = _Remembering(index.configured())
    found: set[Locked] = set()
    for python in PYTHONS:
        own = [e for e in entries if e.marker is None or e.marker.evaluate(environment(python))]
        pins = {entry.name: entry.version for entry in own}
        found |= set(locate(pins, Target(f"{python}.0", _GLIBC), _now(), source))
    _check(found, entries, path)
    return Lock(path, (), tuple(sorted(found)))


class _Remembering(index.Index):
    """An index that is asked once for each project, not once more for each Python."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._known: dict[str, tuple[index.File, ...]] = {}

    def files(self, project: str) -> tuple[index.File, ...]:
        if project not in self._known:
            self._known[project] = super().files(project)
        return self._known[project]


def _check(found: set[Locked], entries: tuple[Tool, ...], path: Path) -> None:
    hashes = {entry.name: entry.hashes for entry in entries}
    for file in sorted(found):
        if file.sha256 not in hashes[file.name]:
            raise ConfigError(
                f"{shown(path)} does not have {file.filename}, which the index has",
                hint="make lock-tools",
            )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)

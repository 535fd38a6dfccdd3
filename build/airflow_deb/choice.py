"""Which of a release's files is the one to lock: pure, as pip and uv choose.

The best wheel for the suite's Python and platform, by the order of its tags
(PEP 425, 600); without one, the sdist.
"""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from .index import File

# Best first: what setuptools and PEP 625 make, then what old projects uploaded.
SDIST_SUFFIXES = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz")
# The names that glibc platforms had before PEP 600.
_ALIASES = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}


@dataclass(frozen=True)
class Target:
    """What a lock is for: a CPython (``3.9.2``), a glibc (``2.31``), an architecture."""

    python: str
    glibc: str
    arch: str = "x86_64"

    @cached_property
    def priorities(self) -> dict[Tag, int]:
        """Every wheel tag that can be installed there, 0 for the best."""
        python = tuple(int(part) for part in self.python.split(".")[:2])
        platforms = tuple(_platforms(self.glibc, self.arch))
        interpreter = f"cp{python[0]}{python[1]}"
        tags = [
            *cpython_tags(python, [interpreter], platforms),
            *compatible_tags(python, interpreter, platforms),
        ]
        return {tag: place for place, tag in enumerate(dict.fromkeys(tags))}


def best(
    files: Iterable[File],
    name: str,
    version: str,
    target: Target,
    before: datetime.datetime,
) -> File | None:
    """The file of ``name`` ``version`` to lock, among those uploaded earlier than ``before``.

    None when there is none. A file whose upload time the index does not tell
    counts as too late: the caller checks that the index tells any.
    """
    ranked = [
        (rank, file)
        for file in files
        if file.uploaded is not None
        and file.uploaded < before
        and fits(file.filename, name, version)
        and _allows(file.requires_python, target.python)
        and (rank := _rank(file.filename, target)) is not None
    ]
    return min(ranked, key=lambda pair: (pair[0], pair[1].filename))[1] if ranked else None


def _rank(filename: str, target: Target) -> tuple[int, ...] | None:
    """How good a file is, the least the best; None when it cannot be used."""
    if not filename.endswith(".whl"):
        return (1, next(i for i, end in enumerate(SDIST_SUFFIXES) if filename.endswith(end)))
    _, _, build, tags = parse_wheel_filename(filename)
    places = [target.priorities[tag] for tag in tags if tag in target.priorities]
    # Of two wheels with the same tags the higher build number wins (PEP 427).
    return (0, min(places), -(build[0] if build else -1)) if places else None


def _allows(requires_python: str, python: str) -> bool:
    """Whether a file's Requires-Python admits ``python``; a malformed one admits all, as in pip."""
    try:
        return SpecifierSet(requires_python).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True


def _platforms(glibc: str, arch: str) -> Iterator[str]:
    major, newest = (int(part) for part in glibc.split("."))
    oldest = 5 if arch == "x86_64" else 17
    for minor in range(newest, oldest - 1, -1):
        yield f"manylinux_{major}_{minor}_{arch}"
        if (major, minor) in _ALIASES:
            yield f"{_ALIASES[major, minor]}_{arch}"
    yield f"linux_{arch}"


def fits(filename: str, name: str, version: str) -> bool:
    """Whether ``filename`` is a wheel or an sdist of that distribution (PEP 427, 625)."""
    try:
        wanted = Version(version)
    except InvalidVersion:
        return False
    return wanted in releases(filename, name)


def releases(filename: str, name: str) -> tuple[Version, ...]:
    """The release of ``name`` that ``filename`` belongs to, none when it is not one of its files.

    More than one when dashes make it ambiguous: ``a-1-2.zip`` may be 1-2 or 2.
    """
    wanted = canonicalize_name(name)
    if filename.endswith(".whl"):
        try:
            of, version, _, _ = parse_wheel_filename(filename)
        except (InvalidWheelFilename, InvalidVersion):
            return ()
        return (version,) if of == wanted else ()
    suffix = next((end for end in SDIST_SUFFIXES if filename.endswith(end)), None)
    if suffix is None:
        return ()
    stem = filename.removesuffix(suffix)
    found = []
    for dash in re.finditer("-", stem):
        if canonicalize_name(stem[: dash.start()]) == wanted:
            with contextlib.suppress(InvalidVersion):
                found.append(Version(stem[dash.end() :]))
    return tuple(found)

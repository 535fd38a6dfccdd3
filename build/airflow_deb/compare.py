"""Two packages that ought to be one: where they differ, and what made them.

A difference drags others behind it: a module that differs is listed in RECORD and
md5sums with another hash and has other bytecode. Those are left out, so that what
remains is what to look at; diffoscope(1) looks.
"""

from __future__ import annotations

import csv
import filecmp
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import container
from .run import run

_BYTECODE = re.compile(r"^(?P<directory>.*)__pycache__/(?P<module>[^/]+)\.[^./]+\.pyc$")
_RECORD = re.compile(r"^(?P<site>(?:.*/)?)[^/]+\.dist-info/RECORD$")
_SUMS = "DEBIAN/md5sums"


@dataclass(frozen=True)
class Pair:
    """Two things that differ, and how they are called."""

    name: str
    first: Path
    second: Path


@dataclass(frozen=True)
class Difference:
    """What two packages differ in.

    ``causes`` are the files to look at, ``followers`` how many more differ because of
    them; ``lines`` are differences that are in no file's content: modes, links, the order.
    """

    causes: tuple[Pair, ...]
    followers: int
    lines: tuple[str, ...]


def packages(first: Path, second: Path, scratch: Path) -> Difference:
    """How the package ``first`` differs from ``second``, both unpacked below ``scratch``."""
    here, there = scratch / "first", scratch / "second"
    for deb, tree in ((first, here), (second, there)):
        container.remove(tree)
        tree.mkdir(parents=True)
        run(["dpkg-deb", "--raw-extract", deb, tree], root=True)
    return files(here, there, (_listing(first), _listing(second)))


def files(
    first: Path, second: Path, listings: tuple[list[str], list[str]] = ([], [])
) -> Difference:
    """How the tree ``first`` differs from ``second``; ``listings`` are dpkg-deb's of both."""
    here, there = _tree(first), _tree(second)
    lines = [f"{name}: only in the first" for name in sorted(here.keys() - there.keys())]
    lines += [f"{name}: only in the second" for name in sorted(there.keys() - here.keys())]
    changed = set()
    for name in sorted(here.keys() & there.keys()):
        if here[name] != there[name]:
            lines.append(f"{name}: {here[name]} and {there[name]}")
        elif here[name].startswith("-") and not filecmp.cmp(
            first / name, second / name, shallow=False
        ):
            changed.add(name)
    if not lines and not changed:
        lines += [
            f"the order or a time in the archive: {one} and {other}"
            for one, other in zip(*listings, strict=True)
            if one != other
        ][:1]
    left = {name for name in changed if not follows(name, changed, first, second)}
    return Difference(
        tuple(Pair(name, first / name, second / name) for name in sorted(left)),
        len(changed) - len(left),
        tuple(lines),
    )


def follows(name: str, changed: Iterable[str], first: Path, second: Path) -> bool:
    """Whether the file ``name`` differs only because others of ``changed`` do."""
    changed = set(changed)
    if name == _SUMS:
        return len(changed) > 1
    if match := _BYTECODE.match(name):
        return f"{match['directory']}{match['module']}.py" in changed
    if match := _RECORD.match(name):
        rows = [set(_rows(tree / name)) for tree in (first, second)]
        paths = {row[0] for row in rows[0] ^ rows[1]}
        return all(os.path.normpath(match["site"] + path) in changed for path in paths)
    return False


def explain(pairs: Iterable[Pair]) -> str:
    """diffoscope's report on each of ``pairs``."""
    parts = []
    for pair in pairs:
        done = run(
            ["diffoscope", "--no-progress", "--max-text-report-size", "20000", "--text", "-",
             pair.first, pair.second],
            check=False, root=True,
        )  # fmt: skip
        parts.append(f"=== {pair.name}\n{done.stdout or done.stderr}")
    return "\n".join(parts)


def _listing(deb: Path) -> list[str]:
    return run(["dpkg-deb", "--contents", deb]).stdout.splitlines()


def _tree(top: Path) -> dict[str, str]:
    """Every path below ``top`` with its mode and, for a link, where that leads to."""
    found = {}
    for directory, directories, names in os.walk(top):
        for name in (*directories, *names):
            path = Path(directory, name)
            mode = path.lstat().st_mode
            leads = f" -> {os.readlink(path)}" if stat.S_ISLNK(mode) else ""
            found[str(path.relative_to(top))] = stat.filemode(mode) + leads
    return found


def _rows(record: Path) -> list[tuple[str, ...]]:
    with record.open(encoding="utf-8", newline="") as lines:
        return [tuple(row) for row in csv.reader(lines)]

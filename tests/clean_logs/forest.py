"""Random trees: as data, on a disk, and what cleaning should leave of them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import Union

from hypothesis import strategies as st

DAY = 86400 * 10**9
NOW = 1_700_000_000 * 10**9
SECRET = "somebody else's"
# Modes of directories, by what the model has to know of them.
OPEN, NO_WRITING, NO_ENTERING, NO_READING, CLOSED = 0o700, 0o500, 0o400, 0o300, 0o000


@dataclass(frozen=True)
class File:
    age: int  # in days


@dataclass(frozen=True)
class Fifo:
    age: int


@dataclass(frozen=True)
class Link:
    age: int
    target: str


@dataclass(frozen=True)
class Directory:
    age: int
    mode: int = OPEN
    entries: dict[str, Node] = field(default_factory=dict)


Node = Union[File, Fifo, Link, Directory]

# What an instance's user may be made to write: anything but a slash and a zero.
NAMES = st.one_of(
    st.sampled_from(["a", "b", "-rf", " ", "\n", "ü", "\udcff\udc80", "x" * 255, "latest"]),
    st.integers(0, 30).map(lambda number: f"run_{number}"),
)
AGES = st.integers(0, 20)
# To what is beside the tree, of which nothing may ever change; and to nothing.
TARGETS = st.sampled_from(
    ["../outside/file", "../outside", "/", "..", ".", "nowhere", "/no/where", "latest"]
)
MODES = st.sampled_from([OPEN] * 12 + [NO_WRITING, NO_ENTERING, NO_READING, CLOSED])


def trees(modes: st.SearchStrategy[int] = MODES) -> st.SearchStrategy[Directory]:
    """Directories with all kinds of things in them."""
    leaf = st.one_of(
        st.builds(File, AGES),
        st.builds(File, AGES),
        st.builds(Fifo, AGES),
        st.builds(Link, AGES, TARGETS),
        st.builds(Directory, AGES, modes),
    )

    def grown(node: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        entries = st.dictionaries(NAMES, node, max_size=6)
        return st.builds(Directory, AGES, modes, entries)

    node = st.recursive(leaf, grown, max_leaves=25)
    return st.builds(Directory, AGES, st.just(OPEN), st.dictionaries(NAMES, node, max_size=8))


def plant(tree: Directory, place: str) -> None:
    """Make ``tree`` at ``place``, its times counted back from NOW."""
    os.mkdir(place)
    for name, node in tree.entries.items():
        path = f"{place}/{name}"
        if isinstance(node, Directory):
            plant(node, path)
            continue
        if isinstance(node, File):
            with open(path, "w", encoding="utf-8") as file:
                file.write("log\n")
        elif isinstance(node, Fifo):
            os.mkfifo(path)
        else:
            os.symlink(node.target, path)
        when = NOW - node.age * DAY
        os.utime(path, ns=(when, when), follow_symlinks=False)
    when = NOW - tree.age * DAY
    os.utime(place, ns=(when, when))
    os.chmod(place, tree.mode)


def grown_at(place: str) -> Directory:
    """The tree at ``place``, as `plant` would make it."""
    status = os.lstat(place)
    mode = stat.S_IMODE(status.st_mode)
    os.chmod(place, OPEN)
    entries: dict[str, Node] = {}
    for name in os.listdir(place):
        path = f"{place}/{name}"
        found = os.lstat(path)
        age = _age(found)
        if stat.S_ISDIR(found.st_mode):
            entries[name] = grown_at(path)
        elif stat.S_ISLNK(found.st_mode):
            entries[name] = Link(age, os.readlink(path))
        else:
            entries[name] = Fifo(age) if stat.S_ISFIFO(found.st_mode) else File(age)
    return Directory(_age(status), mode, entries)


def _age(status: os.stat_result) -> int:
    """In days; -1 for what was touched after the tree was made."""
    days, rest = divmod(NOW - status.st_mtime_ns, DAY)
    return days if not rest else -1


def cleaned(tree: Directory, cutoff: int, depth: int = 0) -> tuple[Directory, int]:
    """What is left of a tree when all that is older than ``cutoff`` days goes.

    Also how many things cannot be done. A model to compare with, not a second way
    to do it: it knows the whole tree at once.
    """
    if tree.mode in (CLOSED, NO_READING):
        return tree, 1
    if tree.mode == NO_ENTERING:
        return tree, len(tree.entries)
    left: dict[str, Node] = {}
    links: dict[str, Node] = {}
    failed = 0
    for name, node in tree.entries.items():
        goes = isinstance(node, File) and node.age > cutoff
        if isinstance(node, Directory):
            node, problems = cleaned(node, cutoff, depth + 1)
            failed += problems
            goes = not node.entries and not problems and node.age > cutoff
        elif isinstance(node, Link) and node.age > cutoff:
            links[name] = node
            continue
        if not goes or tree.mode == NO_WRITING:
            left[name] = node
            failed += goes
    # Old links are looked at when all else is done.
    everything = {**left, **links}
    for name, node in links.items():
        goes = not _leads(name, everything, depth)
        if not goes or tree.mode == NO_WRITING:
            left[name] = node
            failed += goes
    return Directory(tree.age, tree.mode, left), failed


def _leads(name: str, entries: dict[str, Node], depth: int) -> bool:
    """Whether something is where a link leads to."""
    node = entries.get(name)
    if not isinstance(node, Link):
        return node is not None
    if node.target == "latest":
        return name != "latest" and _leads("latest", entries, depth)
    return node.target in ("/", ".", "..") or (depth == 0 and "outside" in node.target)

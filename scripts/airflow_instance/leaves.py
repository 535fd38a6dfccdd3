"""Declarations as flat maps from paths to values that remember where they came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import document

Path = tuple[str, ...]


@dataclass(frozen=True)
class Leaf:
    """A value, and where it was written: FILE:LINE, or words for a default.

    ``literal`` says that %{…} in it is no placeholder (what comes from secrets.d).
    """

    value: object
    origin: str
    literal: bool = False


Leaves = Mapping[Path, Leaf]


def flatten(node: document.Mapping, where: str, *, literal: bool = False) -> dict[Path, Leaf]:
    """Every value below ``node``; a list counts as one value."""
    found: dict[Path, Leaf] = {}
    _flatten(node, (), where, literal, found)
    return found


def _flatten(
    node: document.Mapping, path: Path, where: str, literal: bool, found: dict[Path, Leaf]
) -> None:
    for entry in node.entries:
        inside = (*path, entry.key.text)
        if isinstance(entry.value, document.Mapping):
            _flatten(entry.value, inside, where, literal, found)
        else:
            origin = f"{where}:{entry.key.start.line + 1}"
            found[inside] = Leaf(document.plain(entry.value), origin, literal)


def lines(node: document.Mapping, path: Path = ()) -> dict[Path, int]:
    """The line, from 1, of every key below ``node``, those of mappings too."""
    found: dict[Path, int] = {}
    for entry in node.entries:
        inside = (*path, entry.key.text)
        found[inside] = entry.key.start.line + 1
        if isinstance(entry.value, document.Mapping):
            found.update(lines(entry.value, inside))
    return found


def merge(layers: Iterable[Leaves]) -> dict[Path, Leaf]:
    """The layers on top of each other; a later one wins, key by key."""
    merged: dict[Path, Leaf] = {}
    for layer in layers:
        for path, leaf in layer.items():
            # A text in one layer and a mapping in another cannot be one value:
            # the later form replaces the whole of the earlier.
            for other in [p for p in merged if p != path and _nested(p, path)]:
                del merged[other]
            merged[path] = leaf
    return merged


def _nested(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def nest(leaves: Leaves) -> dict[str, Any]:
    """The leaves as nested dicts again."""
    result: dict[str, Any] = {}
    for path, leaf in leaves.items():
        place = result
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = leaf.value
    return result


def origin(leaves: Leaves, path: Path) -> str:
    """Where the value at ``path``, or the first one below it, was written."""
    for candidate, leaf in leaves.items():
        if candidate[: len(path)] == path:
            return leaf.origin
    return "?"

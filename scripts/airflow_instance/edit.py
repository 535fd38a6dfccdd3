"""Changing one value of a declaration file, everything else left as it is.

PyYAML cannot write back what it read: comments and quotes would be gone. So the
text is edited by line and column, as the parser located them, and then parsed
again: unless the result is exactly the old content with that one change, the
edit is refused and the person is told which line to look at.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from . import quoting, schema
from .document import Entry, Mapping, Node, Plain, Scalar, parse, plain, scalar_value
from .errors import DeclarationError, UsageError
from .layout import prefix_of
from .leaves import Path

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@+-]*(?:%\{\w+\}[A-Za-z0-9_./@+-]*)*")


def path_of(dotted: str) -> Path:
    """``airflow_config.core.parallelism`` as a path, as deep as the schema goes.

    Raises UsageError when it cannot be one.
    """
    depth = {"airflow_config": 2, "connections": 3}.get(dotted.partition(".")[0], 1)
    path = tuple(dotted.split(".", depth))
    if not all(path):
        raise UsageError(f"{dotted!r} is no key", hint="one is airflow_config.core.parallelism")
    return path


def typed(path: Path, text: str) -> Plain:
    """What ``text`` from a command line means at ``path``, as in the file it would."""
    if path == ("installation",):
        return prefix_of(text)
    kind = (schema.at(path) or {}).get("type", ())
    kinds = [kind] if isinstance(kind, str) else list(kind)
    if kinds == ["string"] or (text == "" and "string" in kinds):
        return text
    try:
        return scalar_value(text, "")
    except DeclarationError:
        return text  # 0644: as text it is unambiguous


def emit(value: Plain) -> str:
    """A scalar as it is written into a file."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    try:
        safe = _PLAIN.fullmatch(value) and scalar_value(value, "") == value
    except DeclarationError:
        safe = False
    # YAML 1.1 readers take 1_000 and 12:30 for numbers; a leading digit is quoted.
    return value if safe and not value[0].isdigit() else quoting.yaml(value)


def set_value(text: str, path: Path, value: Plain, where: str) -> str:
    """``text`` with the scalar at ``path`` set.

    Raises DeclarationError when that cannot be done without touching more.
    """
    root = parse(text, where)
    expected: Any = plain(root) if root else {}
    before = copy.deepcopy(expected)
    place = expected
    for key in path[:-1]:
        inner = place.setdefault(key, {})
        if inner is None:
            inner = place[key] = {}
        if not isinstance(inner, dict):
            raise _refuse(where, _line(root, path), f"{key} is a value, not a mapping")
        place = inner
    if path[-1] in place and place[path[-1]] == value and type(place[path[-1]]) is type(value):
        return text
    place[path[-1]] = value
    mark, lines = _lines(text)
    node, done = _deepest(root, path)
    if node is None:
        _ended(lines)
        lines += _block(path, value, 0, _newline(lines))
    elif len(done) == len(path):
        entry = _entry(node, path[-1])
        _replace(lines, entry, emit(value), where)
    else:
        _insert(lines, node, done, path, value, where)
    return _verified(mark + "".join(lines), expected, before, where, _line(root, path))


def unset(text: str, path: Path, where: str) -> str:
    """``text`` without the value at ``path``, and without a mapping that it leaves empty.

    Raises DeclarationError when it is not there, or cannot be taken out alone.
    """
    root = parse(text, where)
    expected: Any = plain(root) if root else {}
    before = copy.deepcopy(expected)
    node, done = _deepest(root, path)
    if node is None or len(done) < len(path):
        raise DeclarationError(f"{where}: {'.'.join(path)} is not set there")
    while len(path) > 1 and len(_mapping(root, path[:-1]).entries) == 1:
        path = path[:-1]
    parent = _mapping(root, path[:-1])
    entry = _entry(parent, path[-1])
    mark, lines = _lines(text)
    first, last = entry.key.start.line, _last_line(entry.value, entry.key, lines)
    if parent.flow or lines[first][: entry.key.start.column].strip():
        raise _refuse(where, first, "it is written in {…} form")
    if len(parent.entries) == 1:
        raise _refuse(where, first, "nothing would be left")
    del lines[first : last + 1]
    place = expected
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return _verified(mark + "".join(lines), expected, before, where, first)


def _verified(text: str, expected: object, before: object, where: str, line: int) -> str:
    try:
        root = parse(text, where)
        result = plain(root) if root else {}
    except DeclarationError:
        result = before
    if result != expected:
        raise _refuse(where, line, "it is written in a way that cannot be edited safely")
    return text


def _refuse(where: str, line: int, why: str) -> DeclarationError:
    return DeclarationError(
        f"{where}:{line + 1}: cannot be changed by a command: {why}", hint="edit it by hand"
    )


# The tree.


def _entry(node: Mapping, key: str) -> Entry:
    return next(entry for entry in node.entries if entry.key.text == key)


def _deepest(root: Mapping | None, path: Path) -> tuple[Mapping | None, Path]:
    """The deepest mapping on the way, and the part of the path that is there."""
    node, done = root, ()
    if node is None:
        return None, done
    for number, key in enumerate(path, 1):
        found = [entry for entry in node.entries if entry.key.text == key]
        if not found:
            return node, path[: number - 1]
        if number == len(path) or not isinstance(found[0].value, Mapping):
            return node, path[:number]
        node = found[0].value
    return node, path


def _mapping(root: Mapping | None, path: Path) -> Mapping:
    node: Node | None = root
    for key in path:
        assert isinstance(node, Mapping)
        node = _entry(node, key).value
    assert isinstance(node, Mapping)
    return node


def _line(root: Mapping | None, path: Path) -> int:
    node, done = _deepest(root, path)
    if node is None or not node.entries:
        return 0
    return _entry(node, done[-1]).key.start.line if done and _has(node, done[-1]) else 0


def _has(node: Mapping, key: str) -> bool:
    return any(entry.key.text == key for entry in node.entries)


def _last_line(node: Node, key: Scalar, lines: list[str]) -> int:
    """The last line that ``node``, the value of ``key``, has something on."""
    if isinstance(node, Mapping) and not node.flow and node.entries:
        last = node.entries[-1]
        return _last_line(last.value, last.key, lines)
    if isinstance(node, Scalar) and node.text == "" and not node.style:
        return key.start.line
    line = node.end.line
    if not isinstance(node, Scalar) or node.style in ("|", ">"):
        # Their end is where the next thing begins.
        if node.end.column == 0:
            line -= 1
        while line > key.start.line and not lines[line].strip():
            line -= 1
    return line


# The text.


def _lines(text: str) -> tuple[str, list[str]]:
    """A byte order mark, which the parser does not count, and the lines."""
    bare = text.lstrip("\ufeff")
    return text[: len(text) - len(bare)], bare.splitlines(keepends=True)


def _newline(lines: list[str]) -> str:
    return "\r\n" if lines and lines[0].endswith("\r\n") else "\n"


def _ended(lines: list[str]) -> None:
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += _newline(lines)


def _block(keys: Path, value: Plain, indent: int, newline: str) -> list[str]:
    lines = [
        f"{' ' * (indent + 2 * depth)}{emit(key)}:{newline}" for depth, key in enumerate(keys[:-1])
    ]
    last = f"{' ' * (indent + 2 * (len(keys) - 1))}{emit(keys[-1])}: {emit(value)}{newline}"
    return [*lines, last]


def _replace(lines: list[str], entry: Entry, text: str, where: str) -> None:
    value = entry.value
    number = entry.key.start.line
    if not isinstance(value, Scalar):
        raise _refuse(where, number, "it has keys of its own")
    if value.style in ("|", ">") or value.start.line != value.end.line:
        raise _refuse(where, number, "it has several lines")
    line = lines[value.start.line]
    # A value that is not there at all begins right behind the colon.
    gap = " " if value.start.column == value.end.column else ""
    lines[value.start.line] = line[: value.start.column] + gap + text + line[value.end.column :]


def _insert(
    lines: list[str], node: Mapping, done: Path, path: Path, value: Plain, where: str
) -> None:
    """Put the rest of ``path`` below ``node``, or below a key of it that has no value."""
    rest = path[len(done) :]
    if node.flow:
        raise _refuse(where, node.start.line, "it is written in {…} form")
    indent = node.entries[0].key.start.column
    _ended(lines)
    if done and _has(node, done[-1]) and isinstance(_entry(node, done[-1]).value, Scalar):
        after, indent = _entry(node, done[-1]).key.start.line, indent + 2
    else:
        last = node.entries[-1]
        after = _last_line(last.value, last.key, lines)
    lines[after + 1 : after + 1] = _block(rest, value, indent, _newline(lines))

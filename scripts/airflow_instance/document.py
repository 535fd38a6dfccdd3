"""A declaration file as a tree of values that know where they stand.

The subset of YAML is small on purpose: mappings, lists and scalars. Anchors,
aliases, tags, merge keys and several documents are refused, which leaves no
bomb to defuse, and keeps what a person reads and what the tool reads the same.
Scalars mean what they look like: a number or a word that YAML versions
disagree about (0644, 12:30) is either text or refused, never a surprise.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Union

from .errors import DeclarationError
from .yamlevents import Event, Mark, YamlError, events

MAX_DEPTH = 12
MAX_NODES = 20_000

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
)
_OCTAL = re.compile(r"[-+]?0[0-9_]+")
_TRUE = frozenset(["true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"])
_FALSE = frozenset(["false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"])
_NULL = frozenset(["", "~", "null", "Null", "NULL"])

# Why PyYAML stopped, in words for someone who does not know its scanner.
_PROBLEMS = (
    (re.compile(r"found character '\\t'"), "a tab where spaces are expected", "indent with spaces"),
    (
        re.compile(r"mapping values are not allowed here"),
        "a second ': ' where one value is expected",
        "indent it below its key, or quote the value",
    ),
    (re.compile(r"could not find expected ':'"), "a key without ': '", "write KEY: VALUE"),
    (
        re.compile(r"unexpected end of stream|found unexpected end"),
        "something that is opened and never closed",
        "close the quote or the bracket",
    ),
    (
        re.compile(r"expected <block end>"),
        "an indentation that fits no line above",
        "give keys of one level the same indentation",
    ),
    (re.compile(r"expected ',' or"), "a bracket that is not closed", "close it, or add the comma"),
)


class Number(float):
    """A number with a fraction that prints as it was written: 2.10 stays 2.10."""

    text: str

    def __new__(cls, text: str) -> Number:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


Plain = Union[str, int, float, bool, None]


@dataclass(frozen=True)
class Scalar:
    """One value. ``value`` is typed; ``text`` is what YAML read before typing."""

    value: Plain
    text: str
    style: str
    start: Mark
    end: Mark


@dataclass(frozen=True)
class Entry:
    """A key of a mapping with its value."""

    key: Scalar
    value: Node


@dataclass(frozen=True)
class Mapping:
    entries: tuple[Entry, ...]
    flow: bool
    start: Mark
    end: Mark


@dataclass(frozen=True)
class Sequence:
    items: tuple[Node, ...]
    flow: bool
    start: Mark
    end: Mark


Node = Union[Scalar, Mapping, Sequence]


def plain(node: Node) -> object:
    """``node`` as ordinary dicts, lists and scalars."""
    if isinstance(node, Mapping):
        return {entry.key.text: plain(entry.value) for entry in node.entries}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value


@functools.lru_cache(maxsize=4)  # the site's defaults, which each instance begins with
def parse(text: str, where: str) -> Mapping | None:
    """The mapping that the file called ``where`` holds; None when it holds nothing.

    Raises DeclarationError for everything that is not one plain mapping.
    """
    stream = events(text.lstrip("\ufeff"))
    reader = _Reader(stream, where)
    try:
        return reader.document()
    except YamlError as error:
        raise _explain(error, where) from error


def scalar_value(text: str, style: str, where: str = "", line: int = 0) -> Plain:
    """The typed value of a scalar written as ``text``.

    Raises DeclarationError for a number that YAML 1.1 and 1.2 read differently.
    """
    if style:
        return text
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= 20 else text
    if _OCTAL.fullmatch(text):
        raise DeclarationError(
            f"{where}:{line}: {text} means one number to some readers and another to others",
            hint=f'write it without the leading 0, or as text: "{text}"',
        )
    if _FLOAT.fullmatch(text):
        return Number(text)
    return text


def _explain(error: YamlError, where: str) -> DeclarationError:
    place = f"{where}:{error.line + 1}" if error.line >= 0 else where
    for pattern, problem, hint in _PROBLEMS:
        if pattern.search(error.problem):
            return DeclarationError(f"{place}: not valid YAML: {problem}", hint=hint)
    return DeclarationError(f"{place}: not valid YAML: {error.problem}", hint="correct that line")


class _Reader:
    def __init__(self, stream: Iterator[Event], where: str) -> None:
        self.stream = stream
        self.where = where
        self.nodes = 0

    def fail(self, event: Event, message: str, hint: str) -> DeclarationError:
        return DeclarationError(f"{self.where}:{event.start.line + 1}: {message}", hint=hint)

    def document(self) -> Mapping | None:
        root: Node | None = None
        for event in self.stream:
            if event.kind == "DocumentStart" and root is not None:
                raise self.fail(event, "a second document", "keep one, without a --- between")
            if event.kind not in ("StreamStart", "StreamEnd", "DocumentStart", "DocumentEnd"):
                root = self.node(event, 0)
        if root is None or (isinstance(root, Scalar) and root.value is None and not root.style):
            return None
        if not isinstance(root, Mapping):
            kind = "a list" if isinstance(root, Sequence) else "a single value"
            raise DeclarationError(
                f"{self.where}:{root.start.line + 1}: {kind} where KEY: VALUE lines are expected",
                hint="write one KEY: VALUE per line",
            )
        return root

    def node(self, event: Event, depth: int) -> Node:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.fail(event, f"more than {MAX_NODES} values", "split the file")
        if event.kind == "Alias":
            raise self.fail(event, "an alias (*NAME) is not supported", "write the value itself")
        if event.anchor:
            raise self.fail(event, "an anchor (&NAME) is not supported", "write the value itself")
        if event.tag and event.tag != "!":
            raise self.fail(event, f"the tag {event.tag} is not supported", "write a plain value")
        if depth > MAX_DEPTH:
            raise self.fail(event, f"nested deeper than {MAX_DEPTH} levels", "flatten it")
        if event.kind == "MappingStart":
            return self.mapping(event, depth)
        if event.kind == "SequenceStart":
            items: list[Node] = []
            for inner in self.stream:
                if inner.kind == "SequenceEnd":
                    return Sequence(tuple(items), event.flow, event.start, inner.end)
                items.append(self.node(inner, depth + 1))
        return self.scalar(event)

    def mapping(self, event: Event, depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        end = event.end
        for inner in self.stream:
            if inner.kind == "MappingEnd":
                end = inner.end
                break
            if inner.kind != "Scalar":
                self.node(inner, depth + 1)  # an alias or an anchor has its own message
                raise self.fail(inner, "a key that is not a word", "write KEY: VALUE")
            key = self.scalar(inner, key=True)
            if inner.anchor or (inner.tag and inner.tag != "!"):
                raise self.fail(inner, "a key with an anchor or a tag", "write a plain key")
            if key.text == "<<":
                raise self.fail(inner, "a merge key (<<) is not supported", "write the keys out")
            if key.text in entries:
                first = entries[key.text].key.start.line + 1
                raise self.fail(
                    inner, f"{key.text} stands twice, first on line {first}", "keep one of them"
                )
            entries[key.text] = Entry(key, self.node(next(self.stream), depth + 1))
        return Mapping(tuple(entries.values()), event.flow, event.start, end)

    def scalar(self, event: Event, *, key: bool = False) -> Scalar:
        value: Plain = event.value
        if not key:
            value = scalar_value(
                event.value,
                event.style or ("" if event.implicit else "!"),
                self.where,
                event.start.line + 1,
            )
        return Scalar(value, event.value, event.style, event.start, event.end)

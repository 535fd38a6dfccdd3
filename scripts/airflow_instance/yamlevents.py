"""The only module that touches PyYAML: its untyped events as typed ones.

Events, not objects: composing objects would let anchors and tags do things
before anyone looked, and would lose where each value stands in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml  # type: ignore[import-untyped]  # Debian's python3-yaml ships no type hints


@dataclass(frozen=True)
class Mark:
    """A place in a text: ``line`` and ``column`` count from 0, ``index`` in characters."""

    line: int
    column: int
    index: int


@dataclass(frozen=True)
class Event:
    """One event: ``kind`` as in PyYAML, without the word Event."""

    kind: str
    start: Mark
    end: Mark
    value: str = ""
    style: str = ""  # of a scalar: "" plain, ' or " quoted, | or > block
    implicit: bool = True  # of a scalar: whether its form decides its type
    flow: bool = False  # of a collection: written with braces or brackets
    anchor: bool = False
    tag: str = ""


class YamlError(Exception):
    """The text is no YAML: ``problem`` at ``line`` (from 0; -1 when unknown)."""

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line


def _mark(mark: Any) -> Mark:
    return Mark(mark.line, mark.column, mark.index)


def events(text: str) -> Iterator[Event]:
    """The events of ``text``, each made when it is asked for.

    The pure Python scanner is used on purpose: it gives character positions,
    and the same messages whether or not libyaml is there.

    Raises YamlError.
    """
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            kind = type(event).__name__[: -len("Event")]
            implicit = getattr(event, "implicit", True)
            yield Event(
                kind=kind,
                start=_mark(event.start_mark),
                end=_mark(event.end_mark),
                value=getattr(event, "value", "") or "",
                style=getattr(event, "style", "") or "",
                implicit=bool(implicit[0]) if isinstance(implicit, tuple) else bool(implicit),
                flow=bool(getattr(event, "flow_style", False)),
                anchor=bool(getattr(event, "anchor", None)),
                tag=getattr(event, "tag", "") or "",
            )
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(
            error.problem or error.context or "syntax error", mark.line if mark else -1
        ) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position)
        # PyYAML gives the character's number for text, and the byte for bytes.
        number = error.character if isinstance(error.character, int) else ord(error.character)
        problem = f"the character U+{number:04X} may not stand there"
        raise YamlError(problem, line) from error
    except yaml.YAMLError as error:
        raise YamlError("syntax error", -1) from error


def load_data(text: str) -> object:
    """A trusted file of Airflow's or ours as plain objects, as fast as this host can.

    Raises YamlError.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        result: object = yaml.load(text, Loader=loader)  # noqa: S506 - both loaders are safe
    except yaml.YAMLError as error:
        raise YamlError("syntax error", -1) from error
    return result

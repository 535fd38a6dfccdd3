"""Which locked distribution needs which other, and in what versions.

Pure: from the Requires-Dist of each (core metadata) and what is asked for. Extras
count where somebody asks for them.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name


@dataclass(frozen=True)
class Edge:
    """That ``by`` needs ``requirement``; ``by`` is empty for what is asked for itself."""

    by: str
    requirement: Requirement

    @property
    def name(self) -> str:
        """What is needed, by its canonical name."""
        return canonicalize_name(self.requirement.name)


def edges(
    requires: Mapping[str, Sequence[str]], asked: Iterable[str], python: str
) -> tuple[Edge, ...]:
    """Every need that holds on ``python`` (``3.9``), from what is ``asked`` for downwards.

    ``requires`` are the Requires-Dist lines of each distribution, by canonical name. A
    line that is no requirement by today's rules (PEP 508) counts for any version of what
    it names, as pip would have taken it.
    """
    parsed = {name: [_parsed(line) for line in lines] for name, lines in requires.items()}
    found: dict[tuple[str, str], Edge] = {}
    todo = [Edge("", _parsed(text)) for text in asked]
    done: set[tuple[str, str]] = set()
    while todo:
        edge = todo.pop()
        found[edge.by, str(edge.requirement)] = edge
        for extra in ("", *sorted(edge.requirement.extras)):
            if (edge.name, extra) in done:
                continue
            done.add((edge.name, extra))
            variables = environment(python) | {"extra": extra}
            todo += [
                Edge(edge.name, requirement)
                for requirement in parsed.get(edge.name, ())
                if requirement.marker is None or requirement.marker.evaluate(variables)
            ]
    return tuple(found[key] for key in sorted(found))


def _parsed(line: str) -> Requirement:
    name, semicolon, marker = line.partition(";")
    bare = re.split(r"[^A-Za-z0-9._-]", name.strip(), maxsplit=1)[0]
    for text in (line, f"{bare}{semicolon}{marker}"):
        with contextlib.suppress(InvalidRequirement):
            return Requirement(text)
    return Requirement(bare)


def environment(python: str) -> dict[str, str]:
    """The marker variables (PEP 508) of CPython ``python`` on the one platform we build for."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }

"""accepted.txt in requirements/VERSION/ (or default/): what an audit may find, until when.

One line each, ``NAME ID DATE  # reason``: a distribution; an advisory's id or one of its
aliases, or ``yanked`` or ``deleted``; the last day (UTC) on which it is accepted.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from .errors import ConfigError
from .paths import shown, written

_FORM = "write NAME ID YYYY-MM-DD  # reason"


@dataclass(frozen=True)
class Accepted:
    """What somebody has accepted, until when (that day included), why, and where it stands."""

    name: str
    id: str
    until: datetime.date
    reason: str
    place: str

    def is_of(self, name: str, ids: Iterable[str]) -> bool:
        """Whether it is about a finding for ``name`` that has these ``ids``."""
        return self.name == name and self.id.lower() in {one.lower() for one in ids}


def load(directory: Path) -> tuple[Accepted, ...]:
    """What is accepted for the version that has ``directory``; nothing without a file.

    Raises ConfigError with line and remedy for the first line that is wrong.
    """
    path = written(directory, "accepted.txt")
    return parse(path.read_text(encoding="utf-8"), path) if path.exists() else ()


def parse(text: str, path: Path) -> tuple[Accepted, ...]:
    """The lines of ``text``, the content of ``path``."""
    found: list[Accepted] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line, _, reason = (part.strip() for part in raw.partition("#"))
        if not line:
            continue
        place = f"{shown(path)}:{number}"
        words = line.split()
        if len(words) != 3:
            raise ConfigError(f"{place}: not what is accepted: {line!r}", hint=_FORM)
        if not reason:
            raise ConfigError(f"{place}: {words[1]} has no reason", hint="write it behind a #")
        try:
            until = datetime.date.fromisoformat(words[2])
        except ValueError as error:
            raise ConfigError(f"{place}: {words[2]!r} is not a date", hint=_FORM) from error
        found.append(Accepted(canonicalize_name(words[0]), words[1], until, reason, place))
    return tuple(found)

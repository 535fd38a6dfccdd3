"""The requirements that people write by hand, each line with its reason.

requirements/VERSION/ has up to three such files (none of them is a must):

    overrides.txt    replaces what packages ask for: a pin whose file is gone
    constraints.txt  narrows what may be chosen
    build-tools.txt  what sdists are built with

requirements/default/ has those of versions that have none of their own.
A line is ``name<spec  # reason``. All of this module but `load` is pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .errors import ConfigError
from .paths import shown, written


@dataclass(frozen=True)
class Pin:
    """A requirement somebody wrote, why, and where (``FILE:LINE``)."""

    name: str
    text: str
    reason: str
    place: str

    def admits(self, version: str) -> bool:
        """Whether ``version`` satisfies it."""
        return Requirement(self.text).specifier.contains(version, prereleases=True)


@dataclass(frozen=True, kw_only=True)
class Pins:
    """All hand-written requirements of an Airflow version."""

    overrides: tuple[Pin, ...] = ()
    constraints: tuple[Pin, ...] = ()
    build_tools: tuple[Pin, ...] = ()


def load(directory: Path) -> Pins:
    """The hand-written requirements of the version that has ``directory``.

    Raises ConfigError with file, line and remedy for a line that is malformed,
    has no reason, or names what another line of the file already names.
    """
    return Pins(
        overrides=_load(written(directory, "overrides.txt")),
        constraints=_load(written(directory, "constraints.txt")),
        build_tools=_load(written(directory, "build-tools.txt")),
    )


def parse(text: str, path: Path) -> tuple[Pin, ...]:
    """The lines of ``text``, the content of ``path``; see `load` for errors."""
    found: dict[str, Pin] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        place = f"{shown(path)}:{number}"
        wanted, reason = _split(line)
        name = canonicalize_name(_requirement(wanted, place).name)
        if not reason:
            raise ConfigError(
                f"{place}: {name} has no reason",
                hint=f"write why behind it: {wanted}  # reason",
            )
        if name in found:
            raise ConfigError(
                f"{place}: {name} already stands at {found[name].place}",
                hint="make one line of the two",
            )
        found[name] = Pin(name, wanted, reason, place)
    return tuple(found.values())


def asked(requirements: Iterable[str], place: str) -> tuple[Pin, ...]:
    """Requirements of versions.sh as pins; ConfigError for one that is malformed."""
    return tuple(
        Pin(canonicalize_name(_requirement(text, place).name), text, "asked for", place)
        for text in requirements
    )


@dataclass(frozen=True)
class Official:
    """Airflow's own constraints after ours were respected: what is kept, what is not."""

    kept: tuple[str, ...]
    dropped: tuple[str, ...]


def reconcile(text: str, ours: Iterable[Pin], place: str) -> Official:
    """Drop the lines of ``text`` (``name==version``) that one of ``ours`` does not admit.

    Raises ConfigError, naming ``place``, for a text that is not constraints.
    """
    by_name: dict[str, list[Pin]] = {}
    for pin in ours:
        by_name.setdefault(pin.name, []).append(pin)
    kept, dropped = [], []
    for number, raw in enumerate(text.splitlines(), 1):
        line, _ = _split(raw.strip())
        if not line or line.startswith("#"):
            continue
        requirement = _requirement(line, f"{place}:{number}")
        version = _exact(requirement)
        against = [
            pin
            for pin in by_name.get(canonicalize_name(requirement.name), [])
            if version is not None and not pin.admits(version)
        ]
        if against:
            dropped.append(f"{line} ({against[0].place} has {against[0].text})")
        else:
            kept.append(line)
    return Official(tuple(kept), tuple(dropped))


def _load(path: Path) -> tuple[Pin, ...]:
    try:
        return parse(path.read_text(encoding="utf-8"), path)
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{shown(path)} cannot be read: {error}") from error


def _split(line: str) -> tuple[str, str]:
    """A line's requirement and the comment behind it, which a space sets off (as in pip)."""
    parts = re.split(r"(?:^|\s+)#\s*", line, maxsplit=1)
    return parts[0].strip(), parts[1].strip() if len(parts) > 1 else ""


def _requirement(text: str, place: str) -> Requirement:
    try:
        found = Requirement(text)
    except InvalidRequirement as error:
        what = str(error).splitlines()[0]
        raise ConfigError(
            f"{place}: not a requirement: {text[:80]!r} ({what})",
            hint="write NAME==VERSION or NAME<VERSION  # reason",
        ) from error
    if found.url:
        raise ConfigError(f"{place}: {found.name} has an address", hint="write a version instead")
    return found


def _exact(requirement: Requirement) -> str | None:
    """The version that ``requirement`` pins, None when it is a range."""
    specifiers = list(requirement.specifier)
    if len(specifiers) == 1 and specifiers[0].operator in ("==", "==="):
        try:
            return str(Version(specifiers[0].version))
        except InvalidVersion:
            return None
    return None

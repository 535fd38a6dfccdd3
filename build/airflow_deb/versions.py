"""versions.sh as data: the suites, the versions, and the cells they make.

The file is shell, so that a shell can source it, but only plain assignments
are allowed: it is parsed, never executed. Every mistake is reported with its
line, its key and what to write instead.
"""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from .errors import ConfigError, UsageError

_ASSIGNMENT = re.compile(r'^([A-Za-z_][A-Za-z0-9_]*)="([^"$`\\]*)"$')
_VERSION = re.compile(r"^v([0-9]+(?:_[0-9]+)+(?:(?:a|b|rc)[0-9]+)?)$")
_FACTS = ("suites", "pythons", "asof", "security", "revision")
_PYTHON = re.compile(r"^[0-9]+\.[0-9]+$")
_COMPRESSION = re.compile(r"^(none:0|xz:[0-9]|zstd:([0-9]|1[0-9]))$")


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A Debian release and what a build needs to know of it.

    ``pin`` tells a root of its own, made of a bundle's packages, from those of a mirror.
    """

    name: str
    debian: int
    python: str
    mirror: str
    compression: str
    pin: str = ""

    @property
    def deb_suffix(self) -> str:
        """What tells this suite's packages apart in a version: ``~deb11u``."""
        return f"~deb{self.debian}u"


@dataclass(frozen=True, kw_only=True)
class Version:
    """An Airflow version and what is asked for with it.

    ``security`` is the day that its security locks are as of, if it has any.
    """

    name: str
    suites: tuple[str, ...]
    pythons: tuple[str, ...]
    extras: tuple[str, ...]
    addons: tuple[str, ...]
    asof: datetime.date
    revision: int
    security: datetime.date | None = None

    @property
    def asked(self) -> tuple[str, ...]:
        """The requirements (PEP 508) that the lock is resolved from."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return (f"apache-airflow{extras}=={self.name}", *self.addons)


@dataclass(frozen=True)
class Cell:
    """One thing that is built: an Airflow version on a suite.

    With ``security`` from its other lock, which has the newest patch levels.
    """

    version: Version
    suite: Suite
    security: bool = False

    @property
    def name(self) -> str:
        """How the cell is called in paths and messages: ``2.1.0-bullseye``."""
        return f"{self.version.name}-{self.lock_name}"

    @property
    def lock_name(self) -> str:
        """How its lock is called in requirements/VERSION, without .lock."""
        return f"{self.suite.name}{'-security' if self.security else ''}"

    @property
    def asof(self) -> datetime.date:
        """The day that its lock is as of."""
        other = self.version.security if self.security else None
        return other or self.version.asof

    @property
    def deb_version(self) -> str:
        """The Debian version: ``2.1.0-1~deb11u1`` (Debian policy 5.6.12).

        A pre-release's letter gets a tilde before it, so that it sorts first. With
        security it is newer than without, and than that of an earlier day.
        """
        upstream = re.sub(r"(a|b|rc)", r"~\1", self.version.name)
        day = f"+sec{self.asof:%Y%m%d}" if self.security else ""
        return f"{upstream}-{self.version.revision}{self.suite.deb_suffix}1{day}"


@dataclass(frozen=True)
class Matrix:
    """All that versions.sh declares."""

    path: Path
    suites: dict[str, Suite]
    versions: dict[str, Version]
    constraints_url: str = ""

    def cells(self) -> list[Cell]:
        """Every cell, in the order of the file."""
        return [
            Cell(version, self.suites[suite])
            for version in self.versions.values()
            for suite in version.suites
        ]

    def cell(self, version: str, suite: str = "", *, security: bool = False) -> Cell:
        """The cell of ``version`` on ``suite``, or on its first suite.

        Raises UsageError for one that is not declared: it lists what there is
        and names the nearest, or the suites whose Python would fit.
        """
        if not version:
            raise UsageError(
                "no version was given", hint=f"write VERSION=, one of {_list(self.versions)}"
            )
        found = self.versions.get(version)
        if found is None:
            raise UsageError(
                f"version {version!r} is not in {self.path.name}, which has {_list(self.versions)}",
                hint=_nearest(version, self.versions),
            )
        name = suite or found.suites[0]
        if name not in self.suites:
            raise UsageError(
                f"suite {name!r} is not in {self.path.name}, which has {_list(self.suites)}",
                hint=_nearest(name, self.suites),
            )
        if name not in found.suites:
            fits = [s.name for s in self.suites.values() if s.python in found.pythons]
            python = self.suites[name].python
            if name in fits:
                raise UsageError(
                    f"Airflow {version} is not built for {name}",
                    hint=f"add {name} to the suites of {_key(version)} in {self.path.name}",
                )
            raise UsageError(
                f"Airflow {version} cannot run on {name}, whose Python is {python}",
                hint=f"it needs Python {_list(found.pythons)}; suites that fit: {_list(fits)}",
            )
        if security and found.security is None:
            raise UsageError(
                f"Airflow {version} has no security locks",
                hint=f"add security=, the day they are as of, to {_key(version)} in "
                f"{self.path.name}, and run make lock VERSION={version} SUITE={name} SECURITY=1",
            )
        return Cell(found, self.suites[name], security)


def load(path: Path) -> Matrix:
    """Parse and check the versions.sh at ``path``.

    Raises ConfigError with line, key and remedy for the first mistake.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    return parse(text, path)


def parse(text: str, path: Path) -> Matrix:
    """The matrix that ``text``, the content of ``path``, declares."""
    reader = _Reader(text, path)
    suites = {name: _suite(reader, name) for name in reader.words("suites", needed=True)}
    extras = reader.words("extras")
    keys = [key for key in reader.values if _VERSION.match(key)]
    if not keys:
        raise ConfigError(
            f"{path.name}: there is no version", hint='add a line like v2_11_2="suites=…"'
        )
    found = [_version(reader, key, suites, extras) for key in keys]
    versions = {version.name: version for version in found}
    constraints_url = reader.value(
        "constraints_url", r"(https?://\S+)?", "a URL with {version} and {python}, or nothing"
    )
    reader.finish()
    return Matrix(path, suites, versions, constraints_url)


def _suite(reader: _Reader, name: str) -> Suite:
    return Suite(
        name=name,
        debian=int(reader.value(f"{name}_debian", r"[1-9][0-9]*", "a release number, like 12")),
        python=reader.value(f"{name}_python", _PYTHON.pattern, "a Python line, like 3.11"),
        mirror=reader.value(f"{name}_mirror", r"\S*", "a URL, or nothing for the default"),
        compression=reader.value(
            f"{name}_compression", _COMPRESSION.pattern, "method:level, like xz:2 or zstd:10"
        ),
    )


def _version(
    reader: _Reader, key: str, suites: dict[str, Suite], extras: tuple[str, ...]
) -> Version:
    name = key[1:].replace("_", ".")
    facts = reader.facts(key, _FACTS)
    own = _listed(reader, key, facts, "suites")
    pythons = _listed(reader, key, facts, "pythons")
    for python in pythons:
        if not _PYTHON.match(python):
            reader.fail(key, f"{python!r} is not a Python line", "write pythons=3.11,3.12")
    for suite in own:
        if suite not in suites:
            reader.fail(key, f"{suite!r} is not a suite here", _nearest(suite, suites))
        if suites[suite].python not in pythons:
            fits = [s.name for s in suites.values() if s.python in pythons]
            reader.fail(
                key,
                f"Airflow {name} cannot run on {suite}, whose Python is {suites[suite].python}",
                f"suites that fit: {_list(fits) or 'none'}",
            )
    date = _date(reader, key, "asof", facts.get("asof", ""))
    security = _date(reader, key, "security", facts["security"]) if "security" in facts else None
    if security is not None and security <= date:
        reader.fail(key, f"security: {security} is not after asof", "write a later day")
    revision = facts.get("revision", "1")
    if not re.fullmatch(r"[1-9][0-9]*", revision):
        reader.fail(key, f"revision: {revision!r} does not fit", "write a number from 1")
    return Version(
        name=name,
        suites=own,
        pythons=pythons,
        extras=extras,
        addons=reader.words(f"addons_{name.partition('.')[0]}"),
        asof=date,
        revision=int(revision),
        security=security,
    )


def _date(reader: _Reader, key: str, fact: str, text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        what = text or "nothing"
        reader.fail(key, f"{fact}: {what!r} is not a date", f"write it like {fact}=2021-06-30")


def _listed(reader: _Reader, key: str, facts: dict[str, str], fact: str) -> tuple[str, ...]:
    """A fact of a version that is a list of words, none of them twice."""
    words = tuple(word for word in facts.get(fact, "").split(",") if word)
    if not words:
        reader.fail(key, f"{fact} is missing", f"add {fact}= and at least one")
    for word in words:
        if words.count(word) > 1:
            reader.fail(key, f"{word!r} stands in {fact} twice", "delete one of the two")
    return words


class _Reader:
    """The assignments of a versions.sh, each with its line; counts those read."""

    def __init__(self, text: str, path: Path) -> None:
        self.path = path
        self.lines: dict[str, int] = {}
        self.values: dict[str, str] = {}
        self.unread: set[str] = set()
        for number, raw in enumerate(text.splitlines(), 1):
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            match = _ASSIGNMENT.match(line)
            if match is None:
                raise ConfigError(
                    f"{path.name}:{number}: not a plain assignment: {line[:80]!r}",
                    hint='write NAME="value", without expansions, commands or comments behind it',
                )
            key, value = match.groups()
            if key in self.lines:
                raise ConfigError(
                    f"{path.name}:{number}: {key} was already set on line {self.lines[key]}",
                    hint="delete one of the two",
                )
            self.lines[key] = number
            self.values[key] = value
            self.unread.add(key)

    def fail(self, key: str, what: str, hint: str) -> NoReturn:
        """Raise the ConfigError for ``key``."""
        raise ConfigError(f"{self.path.name}:{self.lines[key]}: {key}: {what}", hint=hint)

    def value(self, key: str, pattern: str, form: str) -> str:
        """The value of ``key``, which must be of the form that ``pattern`` tells."""
        if key not in self.values:
            near = _nearest(key, self.unread)
            raise ConfigError(
                f"{self.path.name}: {key} is missing",
                hint="; ".join(filter(None, (f'add {key}="…" ({form})', near))),
            )
        self.unread.discard(key)
        value = self.values[key]
        if not re.fullmatch(pattern, value):
            self.fail(key, f"{value!r} does not fit", f"write {form}")
        return value

    def words(self, key: str, *, needed: bool = False) -> tuple[str, ...]:
        """The value of ``key`` as words, none of them twice."""
        found = tuple(self.value(key, r".*", "a list of words").split())
        if needed and not found:
            self.fail(key, "it is empty", "name at least one")
        for word in found:
            if found.count(word) > 1:
                self.fail(key, f"{word!r} stands there twice", "delete one of the two")
        return found

    def facts(self, key: str, known: tuple[str, ...]) -> dict[str, str]:
        """The value of ``key`` as ``fact=value`` words, each one of ``known`` and once."""
        found: dict[str, str] = {}
        for word in self.value(key, r".*", "words like suites=bookworm").split():
            fact, equals, value = word.partition("=")
            if not equals or fact not in known:
                near = _nearest(fact, known) or f"write FACT=VALUE, of {_list(known)}"
                self.fail(key, f"{word!r} is no fact of a version", near)
            if fact in found:
                self.fail(key, f"{fact} stands there twice", "delete one of the two")
            found[fact] = value
        return found

    def finish(self) -> None:
        """Raise ConfigError for a key nobody asked for, the first by line."""
        for key in sorted(self.unread, key=self.lines.__getitem__):
            near = _nearest(key, self.lines.keys() - self.unread)
            self.fail(
                key,
                "unknown key, or one of a suite that is not listed",
                near or "delete it",
            )


def _key(version: str) -> str:
    return "v" + version.replace(".", "_")


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


def _nearest(name: str, known: Iterable[str]) -> str:
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f"did you mean {match[0]}?" if match else ""

"""data/versions.yaml as typed values: what a version of Airflow calls things."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union, cast

from .errors import InstallationError
from .layout import data_file
from .yamlevents import load_data

Value = Union[str, int, bool, None]
Option = tuple[str, str]
OLDEST = (2, 1)


@dataclass(frozen=True, order=True)
class Version:
    """A version of Airflow; what is behind the three numbers does not order."""

    numbers: tuple[int, ...]
    text: str = ""

    def __str__(self) -> str:
        return self.text or ".".join(map(str, self.numbers))

    def at_least(self, since: str) -> bool:
        return self.numbers >= _numbers(since)


@dataclass(frozen=True)
class Setting:
    """A row of the table: how a purpose is spelled and what it is by default."""

    purpose: str
    spellings: tuple[tuple[str, str], ...]
    values: tuple[tuple[str, Value], ...]
    when: str = ""
    unless: str = ""
    port: str = ""
    generate: str = ""

    def option(self, version: Version) -> Option | None:
        """Section and option in ``version``; None when it has none."""
        return split(cast(str, _latest(self.spellings, version) or ""))

    def value(self, version: Version) -> Value:
        return cast(Value, _latest(self.values, version))

    def applies(self, conditions: frozenset[str]) -> bool:
        """Whether every word of its ``when`` holds."""
        return conditions.issuperset(self.when.split())

    def options(self) -> set[Option]:
        """Every spelling any version has."""
        return {option for _, text in self.spellings if (option := split(text))}


@dataclass(frozen=True)
class Daemon:
    """A process of an instance."""

    name: str
    commands: tuple[tuple[str, tuple[str, ...]], ...]
    through: tuple[str, ...]
    since: str
    until: str
    when: str
    port: str
    restart_on: frozenset[str]
    job: str = ""
    threshold: str = ""
    replaces: frozenset[str] = frozenset()
    units: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def service(self, version: Version) -> tuple[str, ...]:
        """Lines of [Service] that are otherwise than in its unit template."""
        return cast("tuple[str, ...]", _latest(self.units, version) or ())

    def command(self, version: Version) -> tuple[str, ...]:
        """What airflow is called with."""
        return cast("tuple[str, ...]", _latest(self.commands, version))


@dataclass(frozen=True)
class Migrations:
    """Where migrations are, below site-packages, and the table that knows which were run."""

    directory: str
    table: str
    since: str
    when: str

    @property
    def optional(self) -> bool:
        """Whether they are a provider's, which may not be installed."""
        return bool(self.when)


@dataclass(frozen=True)
class Encrypted:
    """A column encrypted with the fernet key; ``flag`` says of a row whether it is, if any does."""

    table: str
    value: str
    flag: str
    since: str


@dataclass(frozen=True)
class Table:
    """All of data/versions.yaml."""

    settings: tuple[Setting, ...]
    daemons: tuple[Daemon, ...]
    free_sections: frozenset[str]
    database: tuple[tuple[str, Mapping[str, tuple[str, ...]]], ...]
    migrations: tuple[Migrations, ...]
    first_user: tuple[str, ...]
    health: tuple[tuple[str, str], ...] = ()
    hostname: tuple[tuple[str, str], ...] = ()
    metrics: tuple[tuple[str, str | None], ...] = ()
    encrypted: tuple[Encrypted, ...] = ()
    stops: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = field(default_factory=dict)

    def stop(self, executor: str, version: Version) -> tuple[str, ...]:
        """What stops a scheduler with ``executor``: a program and lines of [Service], or none."""
        return cast("tuple[str, ...]", _latest(self.stops.get(executor, ()), version) or ())

    def setting(self, purpose: str) -> Setting:
        return next(setting for setting in self.settings if setting.purpose == purpose)

    def option(self, purpose: str, version: Version) -> Option | None:
        return self.setting(purpose).option(version)

    def spellings(self, purpose: str, version: Version) -> list[Option]:
        """How ``version`` spells a purpose, then how others do: of files that one may have left."""
        row = self.setting(purpose)
        now = row.option(version)
        return [*([now] if now else []), *sorted(row.options() - {now}, reverse=True)]

    def daemons_of(self, version: Version, conditions: frozenset[str]) -> tuple[Daemon, ...]:
        """The processes that an instance of ``version`` has under ``conditions``."""
        return tuple(
            daemon
            for daemon in self.daemons
            if version.at_least(daemon.since)
            and not (daemon.until and version.at_least(daemon.until))
            and (not daemon.when or daemon.when in conditions)
        )

    def database_commands(self, version: Version) -> Mapping[str, tuple[str, ...]]:
        """The airflow arguments for init, upgrade, check and pending."""
        return cast(Mapping[str, tuple[str, ...]], _latest(self.database, version))

    def encrypted_in(self, version: Version) -> tuple[Encrypted, ...]:
        """What ``version`` encrypts with the fernet key."""
        return tuple(row for row in self.encrypted if version.at_least(row.since))

    def health_path(self, version: Version) -> str:
        """Where the web server says how it and its parts are."""
        return cast(str, _latest(self.health, version))

    def hostname_callable(self, version: Version) -> str:
        """What gives a host the name that heartbeats are signed with, by default."""
        return cast(str, _latest(self.hostname, version))

    def metrics_path(self, version: Version) -> str:
        """Where airflow-exporter has its metrics; "" when it does not know the version."""
        return cast(str, _latest(self.metrics, version) or "")

    def migrations_of(self, version: Version, conditions: frozenset[str]) -> tuple[Migrations, ...]:
        """The migrations of ``version`` under ``conditions``, Airflow's own first."""
        return tuple(
            row
            for row in self.migrations
            if version.at_least(row.since) and (not row.when or row.when in conditions)
        )


def parse(text: str) -> Version:
    """The version written as ``text``.

    Raises InstallationError when it is none, or older than any we know.
    """
    match = re.match(r"\d+(?:\.\d+)*", text)
    if not match:
        raise InstallationError(f"{text!r} is no version of Airflow")
    numbers = tuple(int(part) for part in match[0].split("."))[:3]
    numbers += (0,) * (3 - len(numbers))
    if numbers < OLDEST:
        raise InstallationError(
            f"Airflow {text} is older than the oldest supported, {'.'.join(map(str, OLDEST))}",
            hint="install a newer airflow package",
        )
    return Version(numbers, text)


def split(option: str) -> Option | None:
    """``section.option`` as a pair; None for "".

    >>> split("core.parallelism")
    ('core', 'parallelism')
    """
    section, _, name = option.partition(".")
    return (section, name) if name else None


@functools.cache  # a table's few versions are compared with for every option
def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _latest(rows: tuple[tuple[str, Any], ...], version: Version) -> Any:
    """The row of the newest version that ``version`` has reached."""
    reached = [value for since, value in rows if version.at_least(since)]
    return reached[-1] if reached else None


def _by_version(data: object) -> tuple[tuple[str, Any], ...]:
    if not isinstance(data, dict):
        return () if data is None else (("2.1", data),)
    return tuple(sorted(data.items(), key=lambda row: _numbers(row[0])))


@functools.lru_cache(maxsize=1)
def table() -> Table:
    """The shipped table."""
    data = cast("dict[str, Any]", load_data(data_file("versions.yaml").read_text("utf-8")))
    settings = tuple(
        Setting(
            purpose=purpose,
            spellings=tuple((since, text or "") for since, text in _by_version(row["key"])),
            values=_by_version(row.get("value")),
            when=row.get("when", ""),
            unless=row.get("unless", ""),
            port=row.get("port", ""),
            generate=row.get("generate", ""),
        )
        for purpose, row in data["settings"].items()
    )
    daemons = tuple(
        Daemon(
            name=name,
            commands=tuple((since, tuple(words)) for since, words in _by_version(row["command"])),
            through=tuple(row.get("through", ())),
            since=row.get("since", "2.1"),
            until=row.get("until", ""),
            when=row.get("when", ""),
            port=row.get("port", ""),
            restart_on=frozenset(row["restart_on"]),
            job=row.get("job", ""),
            threshold=row.get("threshold", ""),
            replaces=frozenset(row.get("replaces", ())),
            units=tuple((since, tuple(lines)) for since, lines in _by_version(row.get("service"))),
        )
        for name, row in data["daemons"].items()
    )
    database = tuple(
        (since, {verb: tuple(words) for verb, words in row.items()})
        for since, row in _by_version(data["database"])
    )
    migrations = tuple(
        Migrations(row["directory"], row["table"], row.get("since", "2.1"), row.get("when", ""))
        for row in data["migrations"]
    )
    return Table(
        settings=settings,
        daemons=daemons,
        free_sections=frozenset(data["free_sections"]),
        database=database,
        migrations=migrations,
        first_user=tuple(data["first_user"]),
        health=_by_version(data["health"]),
        hostname=_by_version(data["hostname"]),
        metrics=_by_version(data["metrics"]),
        stops={
            executor: tuple((since, tuple(lines)) for since, lines in _by_version(row))
            for executor, row in data["stops"].items()
        },
        encrypted=tuple(
            Encrypted(row["table"], row["value"], row.get("flag", ""), row.get("since", "2.1"))
            for row in data["encrypted"]
        ),
    )

"""Somebody who follows a page of the documents on a host, word for word.

A `Page` says what happens beside what is printed: what has to be there before a command
can be typed, what is typed when it asks, what it exits with and what it is to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests import documents
from tests.documents import Command, Document, File
from tests.host.instances import Host, Instance
from tests.host.lab import Lab
from tests.host.site import DEADLINE

from airflow_deb.errors import BuildError
from airflow_deb.machine import Machine

# As a person at a terminal who takes what apt and packages propose; nobody else's tty is asked.
_APT = (
    'APT::Get::Assume-Yes "true";\nDpkg::Options "--force-unsafe-io";\nAPT::Sandbox::User "root";\n'
)
_TYPE = 'export DEBIAN_FRONTEND=noninteractive; printf %s "$1" | setsid --wait sh -c "$2"'


@dataclass(frozen=True)
class At:
    """What is particular to a command: the one whose text begins so, or the ``nth`` of those.

    ``typed`` is its standard input; ``says`` a pattern in what it prints.
    """

    begin: str
    nth: int = 1
    before: Callable[[Reader], None] | None = None
    typed: str = ""
    status: int = 0
    says: str = ""


@dataclass(frozen=True)
class Page:
    """A document and what is particular to its commands."""

    path: str
    particular: Sequence[At] = ()

    @property
    def document(self) -> Document:
        """What is printed. Raises LookupError for a particular of no command."""
        found = next(it for it in documents.documents() if it.path == self.path)
        for it in self.particular:
            if len([c for c in found.commands if c.text.startswith(it.begin)]) < it.nth:
                raise LookupError(f"{self.path}: there is no {it.begin!r} number {it.nth}")
        return found

    @property
    def commands(self) -> list[Command]:
        """Those that are typed on a host."""
        return [it for it in self.document.commands if it.place == "host" and not it.reason]

    def at(self, command: Command) -> At:
        """What is particular to ``command``."""
        for it in self.particular:
            fitting = [c for c in self.commands if c.text.startswith(it.begin)]
            if fitting[it.nth - 1] == command:
                return it
        return At(command.text)


@dataclass(frozen=True)
class Typed:
    """What became of a command. ``trouble`` is why it was not even typed."""

    status: int
    said: str
    trouble: str = ""


@dataclass
class Reader:
    """On ``machine``; ``results`` are by document and line."""

    lab: Lab
    machine: Machine
    results: dict[tuple[str, int], Typed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.machine.write("/etc/apt/apt.conf.d/90test", _APT)

    @property
    def host(self) -> Host:
        return Host(self.lab, self.machine, tuned=False)

    @property
    def team(self) -> Instance:
        """The instance of the documents."""
        return self.host.instance("analytics")

    def sh(self, script: str) -> str:
        """Something that is not printed anywhere; what it says."""
        return self.machine.shell(script, timeout=DEADLINE).stdout

    def follow(self, page: Page) -> None:
        """Do all that it says. After trouble the rest of the page is left out."""
        trouble = ""
        for step in page.document.steps:
            if step.place != "host":
                continue
            if isinstance(step, File):
                self.machine.write(step.target, step.text)
            elif not step.reason:
                done = self._type(page, step) if not trouble else Typed(-1, "", trouble)
                trouble = trouble or done.trouble
                self.results[step.path, step.line] = done

    def _type(self, page: Page, command: Command) -> Typed:
        it = page.at(command)
        try:
            if it.before:
                it.before(self)
        except (AssertionError, BuildError) as error:
            detail = getattr(error, "detail", "")
            return Typed(-1, "", f"before {command}: {error}\n{detail}")
        words = ["sh", "-c", _TYPE, "sh", it.typed, command.text]
        done = self.machine.call(words, check=False, workdir="/root", timeout=DEADLINE)
        said = done.stdout + done.stderr
        if done.status == it.status and re.search(it.says, said):
            return Typed(done.status, said)
        trouble = f"{command}: status {done.status}, not {it.status}, or not {it.says!r}"
        return Typed(done.status, said, trouble)

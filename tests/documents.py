"""What README.md and docs/ tell people to type: every command, and where it is run.

A command is a line of a block of code in the language ``sh``, or code in the first column
of a table. Comments, which no reader of the rendered page sees, say what becomes of it:

    <!-- run: host -->               from here on, commands are for a host with Airflow
    <!-- run: builder -->            from here on, for the machine that builds packages
    <!-- illustration: REASON -->    nothing of the next block is run
    <!-- illustration `COMMAND`: REASON -->   this command of the next block is not
    <!-- file: PATH -->              the next block of code is the content of that file

tests/host/test_documents.py and tests/build/test_documents.py run them, exactly as they
are printed and in their order; tests/lint/test_documents.py sees to it that none has
neither a place nor a reason. Commands in sentences are mentions of those.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PLACES = ("builder", "host")
# In code that is part of a sentence: what begins like this is a command.
PROGRAMS = (
    *("ansible-playbook", "apt", "apt-get", "cat", "cp", "curl", "df", "git", "install"),
    *("journalctl", "ls", "make", "promtool", "puppet", "sh", "sudo", "systemctl"),
)

_MARK = re.compile(r"<!-- (run|illustration|file)( `[^`]+`)?: (.+) -->")
_FENCE = re.compile(r"(```+) *(\S*)$")
_CODE = re.compile(r"`([^`\n]+)`")
_HEREDOC = re.compile(r"<<-?'?(\w+)'?")
_PROSE = re.compile(rf"(?:{'|'.join(PROGRAMS)}|airflow(?:-[a-z0-9.-]+)?) \S.*")


class DocumentError(Exception):
    """A document that breaks the rules above: file, line and what to do."""


@dataclass(frozen=True)
class Command:
    """Something to type. ``reason`` says why it is not run; "" when it is, at ``place``."""

    path: str
    line: int
    text: str
    place: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.text.splitlines()[0]}"


@dataclass(frozen=True)
class File:
    """A file whose content is printed, to be written before the command that follows."""

    path: str
    line: int
    target: str
    text: str
    place: str


@dataclass(frozen=True)
class Mention:
    """A command in a sentence."""

    path: str
    line: int
    text: str
    reason: str = ""


@dataclass
class Document:
    """What is in one file, in its order."""

    path: str
    steps: list[Command | File] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    languages: list[tuple[int, str]] = field(default_factory=list)
    indented: list[int] = field(default_factory=list)

    @property
    def commands(self) -> list[Command]:
        return [step for step in self.steps if isinstance(step, Command)]


@dataclass(frozen=True)
class _Block:
    """Lines that belong together: code with its language, a table, or a paragraph."""

    kind: str  # code, table or text
    line: int
    lines: tuple[str, ...]
    language: str = ""


def documents() -> list[Document]:
    """All of them, README.md first. Raises DocumentError."""
    paths = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
    return [
        parse(path.relative_to(PROJECT).as_posix(), path.read_text(encoding="utf-8"))
        for path in paths
    ]


def parse(path: str, text: str) -> Document:
    """The document at ``path`` with the content ``text``. Raises DocumentError."""
    found = Document(path)
    place, target, reasons = "", "", dict[str, str]()
    for block in _blocks(path, text):
        mark = _MARK.fullmatch(block.lines[0]) if block.kind == "mark" else None
        if block.kind == "mark":
            if mark is None:
                raise DocumentError(f"{path}:{block.line}: not a mark: {block.lines[0]}")
            kind, command, value = mark.groups()
            if kind == "run":
                if value not in PLACES:
                    raise DocumentError(f"{path}:{block.line}: {value} is none of {PLACES}")
                place = value
            elif kind == "file":
                target = value
            else:
                reasons[(command or "").strip(" `")] = value
            continue
        if target:
            content = "\n".join(block.lines) + "\n"
            found.steps.append(File(path, block.line, target, content, place))
            found.languages.append((block.line, block.language))
        else:
            _take(found, block, place, reasons)
        target, reasons = "", {}
    return found


def _take(found: Document, block: _Block, place: str, reasons: dict[str, str]) -> None:
    """Note what is in ``block``; every reason must be one's that is there."""
    every = reasons.pop("", "")
    left = dict(reasons)

    def reason(text: str) -> str:
        left.pop(text, None)
        return reasons.get(text, every)

    if block.kind == "code":
        found.languages.append((block.line, block.language))
        if block.language == "sh":
            for number, text in _commands(block):
                found.steps.append(Command(found.path, number, text, place, reason(text)))
    if block.kind == "text":
        found.indented += [
            number for number, line in enumerate(block.lines, block.line) if line.startswith("    ")
        ]
        _mention(found, block.line, " ".join(map(str.strip, block.lines)), reason)
    for number, line in enumerate(block.lines if block.kind == "table" else (), block.line):
        _, first, rest = line.split("|", 2)
        for text in filter(_PROSE.fullmatch, _CODE.findall(first)):
            found.steps.append(Command(found.path, number, text, place, reason(text)))
        _mention(found, number, rest, reason)
    if left:
        raise DocumentError(
            f"{found.path}:{block.line}: no such command to illustrate: {', '.join(left)}"
        )


def _mention(found: Document, line: int, text: str, reason: Callable[[str], str]) -> None:
    found.mentions += [
        Mention(found.path, line, code, reason(code))
        for code in _CODE.findall(text)
        if _PROSE.fullmatch(code)
    ]


def _commands(block: _Block) -> Iterator[tuple[int, str]]:
    """Each command of a block with its line: continued lines and heredocs are one."""
    lines = iter(enumerate(block.lines, block.line))
    for number, line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        text = line
        while text.endswith("\\"):
            text += "\n" + next(lines)[1]
        heredoc = _HEREDOC.search(text)
        while heredoc and text.splitlines()[-1] != heredoc[1]:
            text += "\n" + next(lines)[1]
        yield number, text


def _blocks(path: str, text: str) -> Iterator[_Block]:
    """``text`` cut at blank lines, marks and fences."""
    held: list[str] = []
    begin, fence, language = 0, "", ""
    lines = [*text.splitlines(), ""]
    for number, line in enumerate(lines, 1):
        match = _FENCE.match(line.strip())
        if fence:
            if match and match[1] == fence:
                yield _Block("code", begin, tuple(held), language)
                held, fence = [], ""
            else:
                held.append(line)
            continue
        if match or not line.strip() or line.lstrip().startswith("<!--"):
            if held:
                kind = "table" if held[0].startswith("|") else "text"
                yield _Block(kind, begin, tuple(held))
            held = []
            if match:
                fence, language, begin = match[1], match[2], number + 1
            elif line.strip():
                yield _Block("mark", number, (line.strip(),))
            continue
        if not held:
            begin = number
        held.append(line)
    if fence:
        raise DocumentError(f"{path}:{begin}: a block of code that is not closed")

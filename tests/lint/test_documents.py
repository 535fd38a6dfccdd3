"""README.md and docs/: no command without a place or a reason, and no link that leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import documents
from tests.documents import PROJECT, Document, DocumentError
from tests.host import pages

DOCUMENTS = documents.documents()
# ``sh`` is typed; the others are shown, or written to a file.
LANGUAGES = {"sh", "puppet", "text", "yaml"}
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.*?) *#*$", re.MULTILINE)


def each(found: list[Document]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("document", found, ids=lambda it: it.path)


def text(path: str) -> str:
    return (PROJECT / path).read_text(encoding="utf-8")


def prose(path: str) -> str:
    """What is not code."""
    return re.sub(r"^( *```+).*?^\1", "", text(path), flags=re.DOTALL | re.MULTILINE)


def anchors(path: str) -> set[str]:
    """The fragments that GitHub and GitLab give a document's headings."""
    found = set()
    for heading in _HEADING.findall(prose(path)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w -]", "", words).replace(" ", "-"))
    return found


def dead_links(path: str) -> Iterator[str]:
    for target in _LINK.findall(prose(path)):
        name, _, fragment = target.partition("#")
        if re.match(r"[a-z]+:", target):
            if not target.startswith("https://"):
                yield f"{target}: write https"
            continue
        found = (PROJECT / path).parent / name if name else PROJECT / path
        if not found.exists():
            yield f"{target}: there is no such file"
        elif fragment and fragment not in anchors(found.resolve().relative_to(PROJECT).as_posix()):
            yield f"{target}: there is no such heading"


@each(DOCUMENTS)
def test_links_lead_somewhere(document: Document) -> None:
    assert list(dead_links(document.path)) == []


def test_every_document_is_linked() -> None:
    linked = set()
    for document in DOCUMENTS:
        for target in _LINK.findall(prose(document.path)):
            if not re.match(r"[a-z]+:", target):
                linked.add(((PROJECT / document.path).parent / target.partition("#")[0]).resolve())
    alone = {it.path for it in DOCUMENTS if (PROJECT / it.path) not in linked} - {"README.md"}
    assert alone == set()


@each(DOCUMENTS)
def test_code_says_what_it_is(document: Document) -> None:
    """So that no command hides in a block without a language."""
    assert document.indented == [], "write ```text or ```sh instead of an indentation"
    assert [(line, name) for line, name in document.languages if name not in LANGUAGES] == []


@each([it for it in DOCUMENTS if it.commands])
def test_every_command_is_run_or_says_why_not(document: Document) -> None:
    nowhere = [str(it) for it in document.commands if not it.place and not it.reason]
    assert nowhere == [], "write <!-- run: PLACE --> or <!-- illustration: REASON --> before it"
    placeholders = re.compile(r"\b(NAME|STAMP|USER|GROUP|NEW|OLD|DIR|FILE)\b|…|<\w")
    typed = [it for it in document.commands if not it.reason]
    assert [str(it) for it in typed if placeholders.search(it.text)] == []


def test_every_mention_is_the_beginning_of_a_command() -> None:
    """What a sentence names in passing is run somewhere, in full or with more words."""
    known = {tuple(it.text.split()) for document in DOCUMENTS for it in document.commands}
    targets = set(re.findall(r"^([a-z-]+):.*##", text("Makefile"), re.MULTILINE))

    def runs(words: list[str]) -> bool:
        if words[0] == "make" and len(words) == 2 and words[1] in targets:
            return True
        return any(list(command[: len(words)]) == words for command in known)

    strangers = [
        f"{it.path}:{it.line} {it.text}"
        for document in DOCUMENTS
        for it in document.mentions
        if not it.reason and not runs(it.text.split())
    ]
    assert strangers == []


def test_every_page_for_a_host_is_typed_on_one() -> None:
    """tests/host follows the pages that it knows, in an order that makes sense."""
    typed = {it.path for it in DOCUMENTS for step in it.steps if step.place == "host"}
    assert typed == {page.path for page in pages.PAGES}


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("<!-- run: moon -->\n", "moon is none of"),
        ("<!-- illustration: -->\n", "not a mark"),
        ("<!-- illustration `ls -l`: no -->\n```sh\nls\n```\n", "no such command"),
        ("```sh\nls\n", "not closed"),
    ],
)
def test_mistakes_are_found(broken: str, why: str) -> None:
    with pytest.raises(DocumentError, match=why):
        documents.parse("a.md", broken)


def test_what_is_read() -> None:
    """Continued lines, heredocs, tables, sentences, files, reasons."""
    found = documents.parse(
        "a.md",
        "Say `make deb` or `x`.\n\n<!-- run: host -->\n```sh\n# no\ncat <<'E'\na \\\nE\nls \\\n"
        "  -l\n```\n| a | b |\n|---|---|\n| `ls -a` | `df -h` |\n\n"
        "<!-- illustration `ls -b`: because -->\n```sh\nls -b\nls -c\n```\n"
        "<!-- file: /etc/a -->\n```yaml\na: 1\n```\n",
    )
    assert [(it.text, it.place, it.reason) for it in found.commands] == [
        ("cat <<'E'\na \\\nE", "host", ""),
        ("ls \\\n  -l", "host", ""),
        ("ls -a", "host", ""),
        ("ls -b", "host", "because"),
        ("ls -c", "host", ""),
    ]
    assert [(it.line, it.text) for it in found.mentions] == [(1, "make deb"), (14, "df -h")]
    (file,) = [it for it in found.steps if isinstance(it, documents.File)]
    assert (file.target, file.text) == ("/etc/a", "a: 1\n")


def test_a_dead_link_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PROJECT", tmp_path)
    (tmp_path / "b.md").write_text("# One `two`, three!\n")
    (tmp_path / "a.md").write_text(
        "[1](b.md) [2](b.md#one-two-three) [3](c.md) [4](b.md#one)\n\n```text\n[5](d.md)\n```\n"
    )
    assert [word.partition(":")[0] for word in dead_links("a.md")] == ["c.md", "b.md#one"]

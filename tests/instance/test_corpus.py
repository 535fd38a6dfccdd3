"""Malformed files: one clear line, nothing changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_instance.site import Site

from .conftest import Run, snapshot

CORPUS = Path(__file__).parent / "corpus"
EXPECTED = dict(
    line.split(": ", 1)
    for line in (CORPUS / "expected.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
)


@pytest.fixture
def prepared(site: Site, run: Run, declare: Callable[..., Path]) -> Site:
    """A host with a healthy instance beside the broken one."""
    assert run("create", "healthy") == 0
    # A file that is malformed at one point must fail at that point only.
    declare("", "create_user: true\n", "defaults")
    declare("broken", "ensure: present\n")
    return site


def test_corpus_is_complete() -> None:
    assert {path.stem for path in CORPUS.glob("*.yaml")} == set(EXPECTED)
    assert len(EXPECTED) >= 40


@pytest.mark.parametrize("case", sorted(EXPECTED))
@pytest.mark.parametrize("names", [(), ("broken",)])
def test_malformed_file_changes_nothing(
    case: str,
    names: tuple[str, ...],
    prepared: Site,
    run: Run,
    declare: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    kind = case.split("-", 1)[0]
    content = (CORPUS / f"{case}.yaml").read_bytes()
    declare("broken", content, kind if kind in ("secrets", "defaults") else "instances")
    before = snapshot(prepared.layout.root)
    capsys.readouterr()
    status = run("apply", *names)
    said = capsys.readouterr()
    assert snapshot(prepared.layout.root) == before
    errors = [line for line in said.err.splitlines() if ": error: " in line]
    assert EXPECTED[case] in said.err
    assert len(errors) == 1, errors
    assert len(errors[0]) < 600
    assert status in (3, 6, 8)
    assert "Traceback" not in said.err
    assert said.out == ""
    assert "hunter2" not in said.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# comment\n" * 30_000, "broken.yaml: is larger than 256 KiB"),
        ("a: {b: 1, c: 2, d: 3, e: 4}\n".replace("a", "a%d"), "more than 20000 values"),
    ],
)
def test_what_is_too_big(
    text: str,
    message: str,
    prepared: Site,
    run: Run,
    declare: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    if "%d" in text:
        text = "".join(text % number for number in range(4500))
    declare("broken", text)
    before = snapshot(prepared.layout.root)
    assert run("apply") == 3
    assert message in capsys.readouterr().err
    assert snapshot(prepared.layout.root) == before


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def symlink(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/shadow")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize("where", ["instances", "secrets", "defaults"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (directory, "is a directory"),
        (symlink, "is a symbolic link"),
        (dangling, "is a symbolic link"),
        (pipe, "is not a regular file"),
        (lambda path: path.chmod(0o666), "mode 0666 lets others change it"),
    ],
)
def test_what_is_no_trustworthy_file(
    where: str,
    spoil: Callable[[Path], None],
    message: str,
    prepared: Site,
    run: Run,
    declare: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(declare("broken", "description: x\n", where))
    before = snapshot(prepared.layout.root)
    assert run("apply", "broken") == 3
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) <= 2
    assert snapshot(prepared.layout.root) == before


def test_world_readable_secrets_are_refused(
    prepared: Site, run: Run, declare: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    declare("broken", "db_password: x\n", "secrets", 0o644)
    assert run("apply", "broken") == 3
    assert "chmod 0600 /etc/airflow/secrets.d/broken.yaml" in capsys.readouterr().err


def test_a_broken_neighbour_is_a_warning(
    prepared: Site, run: Run, declare: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    declare("Bad_Name", "ensure: present\n")
    declare("broken", "\tx")
    assert run("apply", "healthy") == 0
    assert "bad-name would do" in capsys.readouterr().err
    assert run("apply") == 3


def test_directory_that_others_may_write_to(
    prepared: Site, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared.layout.instances_dir.chmod(0o777)
    assert run("apply") == 3
    assert "others than root may write there" in capsys.readouterr().err

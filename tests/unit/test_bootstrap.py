"""What the bootstrap asks of a machine before it becomes the builder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

import bootstrap
from airflow_deb.errors import MissingToolError


class Became(Exception):
    """The bootstrap has executed something else in its place."""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with nothing of ours, for a user who may not become root."""

    def became(_: Path, words: Sequence[str]) -> None:
        raise Became(" ".join(words[1:]))

    monkeypatch.setattr(bootstrap, "missing_packages", lambda *_: ["mmdebstrap"])
    monkeypatch.setattr(bootstrap, "may_sudo", lambda: False)
    monkeypatch.setattr(bootstrap, "environment", lambda *_: tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "execv", became)
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.delenv("DRY_RUN", raising=False)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("command", ["matrix", "serve"])
def test_who_looks_needs_neither_packages_nor_root(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Became, match=f"-m airflow_deb {command}"):
        bootstrap.main([command])
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("command", [["deb"], ["--tests", "pytest"], ["--tests", "matrix"]])
def test_everything_else_does(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main(command) == 4
    assert "missing Debian packages: mmdebstrap" in capsys.readouterr().err


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("command", ["repo", "promote", "retract"])
def test_the_repository_needs_no_root(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for installing what it is made with, where that is missing."""
    assert bootstrap.main([command]) == 4
    monkeypatch.setattr(bootstrap, "missing_packages", lambda _: [])
    with pytest.raises(Became, match=f"-m airflow_deb {command}"):
        bootstrap.main([command])
    assert bootstrap.main(["deb"]) == 4


def test_only_the_repository_needs_aptly() -> None:
    def needed(*arguments: str) -> set[str]:
        return set(bootstrap.programs(list(arguments)).values())

    for command in ("repo", "promote", "retract"):
        assert "aptly" in needed(command)
        assert "mmdebstrap" not in needed(command)
    assert needed("--tests", "pytest", "tests/repo") > {"aptly", "mmdebstrap", "dpkg-dev"}
    assert needed("--tests", "pytest", "tests/lint/test_lint.py") > {"shellcheck", "ansible-lint"}
    assert needed("--tests", "pytest", "tests/build") > {"disorderfs", "diffoscope-minimal"}
    assert "ansible-lint" not in needed("--tests", "pytest", "tests/unit", "tests/host")
    assert needed("--tests", "tests.gate") > {"aptly", "mmdebstrap", "dpkg-dev", "ansible-lint"}
    for other in (("deb",), ("tools",), ("--tests", "pytest", "tests/unit")):
        assert "aptly" not in needed(*other)
        assert "mmdebstrap" in needed(*other)


def test_what_the_bootstrap_says_is_not_on_stdout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor what venv and pip say, in a virtualenv that is made just now."""

    def run(words: Sequence[str], **options: object) -> object:
        assert "stdout" in options
        if "venv" in words:
            Path(words[-1]).mkdir(parents=True)
        return subprocess.CompletedProcess(words, 0, b"", b"")

    monkeypatch.setenv("AIRFLOW_DEB_CACHE", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", run)
    assert bootstrap.environment("tools.lock").is_dir()
    said = capfd.readouterr()
    assert said.out == ""
    assert "installing the locked Python tools" in said.err


def test_a_python_without_venv_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failed = subprocess.CompletedProcess([], 1, b"ensurepip is not available", b"")
    monkeypatch.setenv("AIRFLOW_DEB_CACHE", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(MissingToolError, match="apt install python3-venv"):
        bootstrap.environment("tools.lock")

"""Lint is part of the tests: style, types and shell, over all that git tracks.

lintian, the fourth linter, judges the built package: `make deb` fails on its
errors and warnings.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


def tracked() -> list[Path]:
    """The files of the checkout, those not yet added included."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listing.stdout.splitlines() if (path := PROJECT / name).is_file()]


def interpreter(path: Path) -> str:
    """What the first line of ``path`` says runs it."""
    with path.open("rb") as file:
        first = file.readline(200)
    return first.decode("utf-8", "replace").strip() if first.startswith(b"#!") else ""


def python_files() -> list[str]:
    return [str(p) for p in tracked() if p.suffix == ".py" or "python" in interpreter(p)]


def shell_files() -> list[str]:
    return [
        str(p)
        for p in tracked()
        if p.suffix == ".sh" or interpreter(p).endswith(("/sh", "/bash", "/sh -e", "env bash"))
    ]


def check(*command: str) -> None:
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command[:4])} …\n{done.stdout}{done.stderr}"


def test_ruff_finds_nothing() -> None:
    check(sys.executable, "-m", "ruff", "check", *python_files())


def test_code_is_formatted() -> None:
    check(sys.executable, "-m", "ruff", "format", "--check", *python_files())


@pytest.mark.parametrize(
    "tree",
    [
        "build/airflow_deb build/bootstrap.py build/ci tests",
        "build/inside",
        "debian/lib build/plugin",
        "scripts/airflow_instance",
    ],
)
def test_mypy_finds_nothing(tree: str) -> None:
    """Trees that run on different Pythons are checked apart."""
    check(sys.executable, "-m", "mypy", "--strict", *tree.split())


def test_shellcheck_finds_nothing() -> None:
    files = shell_files()
    assert str(PROJECT / "versions.sh") in files
    check("shellcheck", *files)


def test_no_module_is_too_long_to_see_at_once() -> None:
    lengths = {
        path: len(Path(path).read_text(encoding="utf-8").splitlines()) for path in python_files()
    }
    assert {path: lines for path, lines in lengths.items() if lines > 400} == {}

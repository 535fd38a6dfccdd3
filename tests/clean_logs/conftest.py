"""A place for trees, and the rights of an ordinary user to clean them with."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

IS_ROOT = os.geteuid() == 0
NOBODY = 65534
_SET_DUMPABLE = 4


@contextlib.contextmanager
def as_user() -> Iterator[None]:
    """Be an ordinary user for a while, to whom modes mean something."""
    if not IS_ROOT:
        yield
        return
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    # Who changes its user loses sight of itself in /proc, until it starts a program.
    ctypes.CDLL(None).prctl(_SET_DUMPABLE, 1, 0, 0, 0)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@contextlib.contextmanager
def new_place() -> Iterator[str]:
    """A directory of the user's, gone afterwards, however deep it is."""
    path = tempfile.mkdtemp(prefix="clean-logs-")
    if IS_ROOT:
        os.chown(path, NOBODY, NOBODY)
    try:
        yield path
    finally:
        if not IS_ROOT:
            for directory, names, _ in os.walk(path):
                for name in names:
                    if not os.path.islink(f"{directory}/{name}"):
                        os.chmod(f"{directory}/{name}", 0o700)
        try:
            shutil.rmtree(path)
        except (OSError, RecursionError):
            subprocess.run(["rm", "-rf", path], check=True)  # too deep for Python's own


@pytest.fixture
def place() -> Iterator[Path]:
    with new_place() as path, as_user():
        yield Path(path)


@pytest.fixture
def tools() -> str:
    """The directory of the command."""
    found = Path(__file__).resolve().parents[2] / "scripts"
    assert shutil.which(str(found / "clean_logs"))
    return str(found)

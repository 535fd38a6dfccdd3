"""Real GnuPG keys, made for a test and gone after it."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory for GnuPG: below /tmp, since the path of an agent's socket must be short."""
    with tempfile.TemporaryDirectory(prefix="gnupg-") as name:
        yield Path(name)
        subprocess.run(["gpgconf", "--homedir", name, "--kill", "all"], check=False)


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the development key of a test is, instead of the user's own."""
    with tempfile.TemporaryDirectory(prefix="data-") as name:
        monkeypatch.setenv("XDG_DATA_HOME", name)
        monkeypatch.delenv("SIGNING_KEY", raising=False)
        yield Path(name)


def gpg(home: Path, *words: str) -> str:
    """Run gpg with ``home``; what it prints."""
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def generate(home: Path, name: str, *, expires: str = "never", faked: str = "") -> str:
    """Make a key in ``home``; its fingerprint."""
    words = ["--faked-system-time", faked] if faked else []
    words += ["--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", expires]
    gpg(home, *words)
    listed = gpg(home, "--with-colons", "--list-secret-keys", name)
    return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))

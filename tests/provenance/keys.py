"""GnuPG as a user types it: keys for tests."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def directory() -> Iterator[Path]:
    """A directory for GnuPG: below /tmp, since the path of an agent's socket must be short."""
    with tempfile.TemporaryDirectory(prefix="gnupg-") as name:
        yield Path(name)
        subprocess.run(["gpgconf", "--homedir", name, "--kill", "all"], check=False)


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


def export(home: Path) -> Path:
    """All secret keys of ``home`` in a file, and the public ones in one beside it (.pub)."""
    secret = home / "secret.asc"
    secret.write_text(gpg(home, "--armor", "--export-secret-keys"))
    secret.with_suffix(".pub").write_text(gpg(home, "--armor", "--export"))
    return secret

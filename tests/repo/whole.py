"""That a repository is whole: what apt would find out, said of every file at once."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
from pathlib import Path

from tests.repo.workshop import Workshop, packages

from airflow_deb.repository import KEYRING


def require_whole(here: Workshop, repo: Path | None = None) -> dict[str, list[str]]:
    """Assert that ``repo`` is `sound`, and that there is no package that no index names."""
    repo = repo or here.repo
    found, named = sound(here, repo)
    assert {path for path in (repo / "pool").rglob("*") if path.is_file()} == named
    assert not [path for path in (repo / "dists").resolve().rglob("*") if path.is_symlink()]
    return found


def sound(here: Workshop, repo: Path) -> tuple[dict[str, list[str]], set[Path]]:
    """The packages of each distribution of ``repo``, and their files; all as hosts need it.

    Asserts that every index is signed with the published key and is, under its name and by
    hash, what Release says, and that every package that is named is there with its sha256.
    """
    found = {}
    named: set[Path] = set()
    with tempfile.TemporaryDirectory() as name:
        keyring = Path(name) / "keyring.gpg"
        here.gpg("--output", str(keyring), "--dearmor", str(repo / KEYRING))
        for release in sorted((repo / "dists").glob("*/Release")):
            text = release.read_text(encoding="utf-8")
            verify(keyring, release.with_name("InRelease"))
            verify(keyring, release.with_name("Release.gpg"), release)
            assert text in release.with_name("InRelease").read_text(encoding="utf-8")
            check_indices(release, text)
            named |= check_packages(repo, release.parent)
            found[release.parent.name] = packages(repo, release.parent.name)
    return found, named


def verify(keyring: Path, *files: Path) -> None:
    """Assert that the key in ``keyring`` has signed."""
    words = ["gpgv", "--keyring", str(keyring), *map(str, files)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def check_indices(release: Path, text: str) -> None:
    """Assert that each index that ``text`` names is there, and by hash."""
    kind = ""
    for line in text.splitlines():
        if not line.startswith(" "):
            kind = line.rstrip(":")
            continue
        digest, size, name = line.split()
        path = release.parent / name
        for copy in (path, path.parent / "by-hash" / kind / digest):
            content = copy.read_bytes()
            assert len(content) == int(size)
            assert hashlib.new(kind.removesuffix("Sum"), content).hexdigest() == digest


def check_packages(repo: Path, directory: Path) -> set[Path]:
    """Assert that each package of a distribution is as its index says; their paths."""
    text = (directory / "main/binary-amd64/Packages").read_text(encoding="utf-8")
    names = re.findall(r"^Filename: (.*)$", text, re.MULTILINE)
    digests = re.findall(r"^SHA256: (.*)$", text, re.MULTILINE)
    for name, digest in zip(names, digests, strict=True):
        assert hashlib.sha256((repo / name).read_bytes()).hexdigest() == digest
    return {repo / name for name in names}

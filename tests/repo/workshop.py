"""A checkout with stand-ins in its dist/, in which the repository's commands are run."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from airflow_deb import paths

_FILES = (
    "Makefile",
    "versions.sh",
    "build/bootstrap.py",
    "build/airflow_deb",
    "requirements/*.lock",
)


@dataclass(frozen=True)
class Workshop:
    """A copy of the project in ``path``, and a home in ``home`` for what belongs to a user."""

    path: Path
    home: Path

    @property
    def dist(self) -> Path:
        """Where the packages are."""
        return self.path / "dist"

    @property
    def repo(self) -> Path:
        """Where the repository is by default."""
        return self.dist / "repo"

    @property
    def environment(self) -> dict[str, str]:
        """What the commands find: nothing of what was set for the tests."""
        known = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        return {
            **known,
            "XDG_DATA_HOME": str(self.home / "data"),
            "GNUPGHOME": str(self.home / "gnupg"),
            "AIRFLOW_DEB_CACHE": str(paths.cache()),
        }

    def make(self, target: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run make as a person does."""
        words = [f"{key}={value}" for key, value in settings.items()]
        return self._run(["make", "--silent", target, *words], {})

    def builder(self, command: str, /, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run the builder without make, which hides the exit status."""
        own = {"PYTHONPATH": str(self.path / "build"), "PYTHONDONTWRITEBYTECODE": "1"}
        # Ctrl-C ends nothing that inherits to ignore it, as from a shell's background.
        words = ["env", "--default-signal=INT", sys.executable, "-m", "airflow_deb", command]
        return self._run(words, {**own, **settings})

    def done(self, command: str, **settings: str) -> str:
        """Run the builder's ``command``, which must succeed; what it says."""
        found = self.builder(command, **settings)
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout

    def gpg(self, *words: str) -> str:
        """Run gpg in the user's own GnuPG home."""
        (self.home / "gnupg").mkdir(mode=0o700, exist_ok=True)
        command = ["gpg", "--batch", "--quiet", *words]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def generate(self, name: str, *options: str, expires: str = "never") -> str:
        """Make a key of the user's own; its fingerprint."""
        words = ["--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", expires]
        self.gpg(*options, *words)
        listed = self.gpg("--with-colons", "--list-secret-keys", name)
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))

    def files(self) -> dict[str, str]:
        """All files in dist/ and at home, with what is in them; links, with where they lead.

        Without what only tells who did something last.
        """
        notes = ("lock", "signing.lock", "trustdb.gpg")
        found = {}
        for top in (self.dist, self.home):
            for path in sorted(top.rglob("*")):
                if path.is_symlink():
                    found[str(path)] = str(path.readlink())
                elif path.is_file() and path.name not in notes:
                    found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def _run(self, words: list[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=self.path,
            env={**self.environment, **env},
            capture_output=True,
            text=True,
            check=False,
        )


def new(path: Path, home: Path) -> Workshop:
    """A workshop in ``path`` with an empty dist/."""
    ignore = shutil.ignore_patterns("__pycache__")
    for pattern in _FILES:
        for source in paths.PROJECT.glob(pattern):
            target = path / source.relative_to(paths.PROJECT)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=ignore)
            else:
                shutil.copy(source, target)
    return Workshop(path, home)


def packages(repo: Path, distribution: str) -> list[str]:
    """The packages in the index of ``distribution``, as ``airflow 2.1.0-1~deb11u1``, sorted."""
    index = repo / "dists" / distribution / "main" / "binary-amd64" / "Packages"
    found = []
    for paragraph in index.read_text(encoding="utf-8").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line)
        if fields:
            found.append(f"{fields['Package']} {fields['Version']}")
    return sorted(found)


def resign(workshop: Workshop, repo: Path, change: Callable[[str], str], key: str = "") -> None:
    """Put ``change`` through every Release of ``repo`` and sign it again.

    With the development key, or ``key`` of the user's own.
    """
    for release in repo.glob("dists/*/Release"):
        release.write_text(change(release.read_text(encoding="utf-8")), encoding="utf-8")
        home = [] if key else ["--homedir", str(workshop.home / "data" / "airflow-deb" / "signing")]
        who = ["--local-user", key] if key else []
        for how, name in (("--clearsign", "InRelease"), ("--detach-sign", "Release.gpg")):
            target = str(release.with_name(name))
            workshop.gpg(*home, "--yes", "--armor", *who, "--output", target, how, str(release))

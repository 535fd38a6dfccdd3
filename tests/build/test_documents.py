"""Every command that README.md and docs/ have for the builder, typed as it is printed."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests import documents
from tests.documents import Command

from airflow_deb import run

PROJECT = documents.PROJECT
COMMANDS = [
    command
    for document in documents.documents()
    for command in document.commands
    if command.place == "builder" and not command.reason
]


@dataclass(frozen=True)
class Checkout:
    """A copy of what git knows, or is to know. It shares dist/ and the cache with ours."""

    path: Path

    def type(self, command: Command) -> subprocess.CompletedProcess[str]:
        """Type a command there."""
        return subprocess.run(
            ["sh", "-c", command.text],
            cwd=self.path,
            env=run.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    path = tmp_path_factory.mktemp("documents") / "airflow-deb"
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in run.run(listing, cwd=PROJECT).stdout.rstrip("\0").split("\0"):
        if (PROJECT / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, path / name)
    (PROJECT / "dist").mkdir(exist_ok=True)
    (path / "dist").symlink_to(PROJECT / "dist")
    return Checkout(path)


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_does_what_it_is_printed_for(checkout: Checkout, command: Command) -> None:
    done = checkout.type(command)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    if command.text == "make deb VERSION=2.1.0":
        built = {path.name for path in (PROJECT / "dist" / "bullseye").glob("*_2.1.0-*.deb")}
        named = {word.rpartition("/")[2] for word in _printed() if word.startswith("./dist/")}
        assert named
        assert named <= built
    if "DRY_RUN=1" in command.text:
        assert "the plan for" in done.stdout
    if "FORMAT=json" in command.text:
        assert json.loads(done.stdout)


def _printed() -> list[str]:
    """The words of the README's commands for a host."""
    readme = next(it for it in documents.documents() if it.path == "README.md")
    return [word for it in readme.commands if it.place == "host" for word in it.text.split()]


def test_there_are_some() -> None:
    assert "make deb VERSION=2.1.0" in [command.text for command in COMMANDS]

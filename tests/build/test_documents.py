"""Every command that README.md and docs/ have for the builder, typed as it is printed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests import documents
from tests.documents import Command

from airflow_deb import run, versions

PROJECT = documents.PROJECT
# Ended by Ctrl-C, as a person does.
STATUS = {"make serve SUITE=bullseye": -signal.SIGINT}
SAYS = {
    "make deb VERSION=2.7.3 DRY_RUN=1": "the plan for 2.7.3-bookworm",
    "make repo": "airflow_2.1.0-1~deb11u1_amd64.deb",
    "make serve SUITE=bullseye": "Suites: bullseye",
    "make promote": "moved to bullseye: airflow_2.1.0-1~deb11u1_amd64.deb",
    "make retract": "retracted from bullseye: airflow_2.1.0-1~deb11u1_amd64.deb",
}
COMMANDS = [
    command
    for document in documents.documents()
    for command in document.commands
    if command.place == "builder" and not command.reason
]


@dataclass(frozen=True)
class Checkout:
    """A copy of what git knows, or is to know, with a user's data of its own.

    The packages of each suite and the cache are those of `make`; the repository is not.
    """

    path: Path
    data: Path

    @property
    def environment(self) -> dict[str, str]:
        """What the commands find."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        own = {"XDG_DATA_HOME": str(self.data), "GNUPGHOME": str(self.data), "PORT": str(port)}
        return run.environment(own)

    def type(self, command: Command) -> subprocess.CompletedProcess[str]:
        """Type a command there; Ctrl-C when it serves and has said all."""
        pipe = subprocess.PIPE
        with subprocess.Popen(
            # Ctrl-C ends nothing that inherits to ignore it, as from a shell's background.
            ["env", "--default-signal=INT", "sh", "-c", f"exec {command.text}"],
            cwd=self.path,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line)
                if command.text in STATUS and "apt update" in line:
                    os.killpg(process.pid, signal.SIGINT)
        return subprocess.CompletedProcess(command.text, process.returncode, "".join(said))

    def unpublish(self) -> None:
        """Nothing was published yet, as where a section begins anew."""
        shutil.rmtree(self.path / "dist" / "repo")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    path = tmp_path_factory.mktemp("documents") / "airflow-deb"
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in run.run(listing, cwd=PROJECT).stdout.rstrip("\0").split("\0"):
        if (PROJECT / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, path / name)
    (path / "dist").mkdir()
    for suite in versions.load(PROJECT / "versions.sh").suites:
        (PROJECT / "dist" / suite).mkdir(parents=True, exist_ok=True)
        (path / "dist" / suite).symlink_to(PROJECT / "dist" / suite)
    data = tmp_path_factory.mktemp("data")
    data.chmod(0o700)
    yield Checkout(path, data)
    shutil.rmtree(path)


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_does_what_it_is_printed_for(checkout: Checkout, command: Command) -> None:
    if command.text == "make repo TO=testing":
        checkout.unpublish()
    done = checkout.type(command)
    assert done.returncode == STATUS.get(command.text, 0), done.stdout[-4000:]
    for begin, words in SAYS.items():
        assert not command.text.startswith(begin) or words in done.stdout, done.stdout[-4000:]
    if command.text == "make deb VERSION=2.1.0":
        built = {path.name for path in (PROJECT / "dist" / "bullseye").glob("*_2.1.0-*.deb")}
        named = {word.rpartition("/")[2] for word in _printed() if word.startswith("./dist/")}
        assert named
        assert named <= built
    if "FORMAT=json" in command.text:
        assert json.loads(done.stdout)


def _printed() -> list[str]:
    """The words of the README's commands for a host."""
    readme = next(it for it in documents.documents() if it.path == "README.md")
    return [word for it in readme.commands if it.place == "host" for word in it.text.split()]


def test_there_are_some() -> None:
    assert "make deb VERSION=2.1.0" in [command.text for command in COMMANDS]

"""Bad input: one line that says what to do, a status, and nothing half-published."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.repo.conftest import NewWorkshop, take
from tests.repo.workshop import Workshop

DEB = "bullseye/airflow_2.1.4-1~deb11u1_amd64.deb"
Spoil = Callable[[Workshop], None]


@pytest.fixture
def ready(shop: Workshop, built: Path) -> Workshop:
    """A workshop with something to publish."""
    take(built, shop, "bullseye", "2.1.4")
    return shop


def refused(here: Workshop, command: str, status: int, said: str, **settings: str) -> None:
    """Assert that ``command`` gives ``status``, one line that has ``said``, and no change."""
    before = here.files()
    done = here.builder(command, **settings)
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("airflow-deb: error: ")
    assert said in done.stderr
    assert here.files() == before


def delete(name: str) -> Spoil:
    return lambda here: (here.dist / name).unlink()


def change(name: str) -> Spoil:
    def spoil(here: Workshop) -> None:
        path = here.dist / name
        path.write_bytes(path.read_bytes() + b"\n")

    return spoil


def copy(source: str, target: str) -> Spoil:
    def spoil(here: Workshop) -> None:
        (here.dist / target).mkdir(exist_ok=True)
        for path in here.dist.glob(source):
            shutil.copy(path, here.dist / target)

    return spoil


def write(name: str, text: str) -> Spoil:
    def spoil(here: Workshop) -> None:
        (here.dist / name).write_text(text, encoding="utf-8")

    return spoil


PAPERS = "bullseye/airflow_2.1.4-1~deb11u1_amd64"


@pytest.mark.parametrize(
    ("spoil", "status", "said"),
    [
        (delete(f"{PAPERS}.buildinfo"), 11, f"{DEB} has no .buildinfo beside it"),
        (delete(f"{PAPERS}.changes"), 11, f"{DEB} is in no .changes beside it"),
        (change(f"{PAPERS}.deb"), 7, f"{DEB} has the sha256 "),
        (change(f"{PAPERS}.buildinfo"), 7, f"{PAPERS}.buildinfo has the sha256 "),
        (write(f"{PAPERS}.changes", "Format: 1.8\n"), 11, "is no .changes of a build"),
        (copy("bookworm/*", "bullseye"), 11, "was built for bookworm"),
        (copy("bullseye/*", "forky"), 2, "forky is no suite"),
    ],
)
def test_half_a_dist(ready: Workshop, spoil: Spoil, status: int, said: str) -> None:
    spoil(ready)
    refused(ready, "repo", status, said)


@pytest.mark.parametrize(
    ("command", "settings", "said"),
    [
        ("repo", {"SUITE": "sid"}, "SUITE=sid is no suite"),
        ("repo", {"VERSION": "9.9.9"}, "there is no package of VERSION=9.9.9 in"),
        ("repo", {"TO": "production"}, "TO='production' is no stage; write testing or stable"),
        ("repo", {"VALID_DAYS": "0"}, "VALID_DAYS='0'"),
        ("promote", {}, "VERSION= is missing"),
        ("promote", {"VERSION": "9.9.9"}, "there is no VERSION=9.9.9 in testing"),
        ("promote", {"VERSION": "2.1.0", "FROM": "unstable"}, "FROM='unstable' is no stage"),
        ("promote", {"VERSION": "2.1.0", "FROM": "stable"}, "are the same"),
        ("promote", {"VERSION": "2.1.0", "SUITE": "sid"}, "SUITE=sid is no suite"),
        ("retract", {}, "VERSION= is missing"),
        ("retract", {"VERSION": "2.1"}, "there is no VERSION=2.1 published; there are 2.1.0-1"),
        (
            "retract",
            {"VERSION": "2.1.0", "FROM": "testing"},
            "there is no VERSION=2.1.0 in testing",
        ),
        ("serve", {"SUITE": "sid"}, "SUITE=sid is no suite"),
        ("serve", {"PORT": "http"}, "PORT='http'"),
    ],
)
def test_settings(ready: Workshop, command: str, settings: dict[str, str], said: str) -> None:
    refused(ready, command, 2, said, **settings)


def test_nothing_to_publish_or_to_serve(new_workshop: NewWorkshop) -> None:
    here = new_workshop()
    refused(here, "repo", 2, "build one: make deb")
    refused(here, "serve", 2, "nothing is published")


def test_no_such_key(ready: Workshop) -> None:
    refused(ready, "repo", 2, "names no secret key", SIGNING_KEY="nobody@example.org")
    refused(ready, "repo", 2, "it is not there", SIGNING_KEY=str(ready.path / "key.asc"))


def test_an_expired_key(ready: Workshop) -> None:
    key = ready.generate("old", "--faked-system-time", "20200101T000000!", expires="1y")
    shutil.rmtree(ready.repo)
    refused(ready, "repo", 13, f"the key {key} has expired", SIGNING_KEY=key)


def test_a_key_that_is_not_for_signing(ready: Workshop) -> None:
    ready.gpg("--passphrase", "", "--quick-generate-key", "c", "ed25519", "cert", "never")
    shutil.rmtree(ready.repo)
    refused(ready, "repo", 13, "is not for signing", SIGNING_KEY="c")


def test_another_key_than_before(ready: Workshop) -> None:
    """It would leave all hosts without updates."""
    key = ready.generate("new")
    refused(ready, "repo", 2, f"this one is {key}", SIGNING_KEY=key)
    (ready.repo / "airflow-archive-keyring.asc").unlink()
    ready.done("repo", SIGNING_KEY=key)


def test_a_place_that_is_not_ours(ready: Workshop) -> None:
    place = ready.path / "other"
    (place / "dists" / "stable").mkdir(parents=True)
    refused(ready, "repo", 3, f"{place}/dists is not ours", REPO=str(place))
    other = ready.dist / "other"
    (other / "pool").mkdir(parents=True)
    (other / "pool" / "keep").write_text("somebody else's")
    refused(ready, "repo", 3, f"{other}/pool is not ours", REPO=str(other))
    refused(ready, "repo", 1, "Not a directory", REPO="/dev/null/repo")


def test_a_port_that_is_taken(ready: Workshop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(ready, "serve", 1, f"port {port} of 127.0.0.1 cannot be used", PORT=port)

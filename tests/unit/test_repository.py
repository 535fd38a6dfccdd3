"""What of the repository is text: dates in a Release, and the file for apt."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from airflow_deb import repository, serve
from airflow_deb.errors import ConfigError
from airflow_deb.repository import Repository

RELEASE = "Origin: airflow-deb\nDate: Thu, 26 Nov 2026 23:48:42 UTC\nSHA256:\n abc 1 Packages\n"


MADE = datetime.datetime(2026, 11, 26, 23, 48, 42, tzinfo=datetime.UTC)


def test_a_release_gets_an_end() -> None:
    text, made, until = repository.dated(RELEASE, 365, None)
    assert made == MADE
    assert until == datetime.datetime(2027, 11, 26, 23, 48, 42, tzinfo=datetime.UTC)
    assert text == RELEASE.replace(
        "SHA256", "Valid-Until: Fri, 26 Nov 2027 23:48:42 UTC\nSHA256", 1
    )


@pytest.mark.parametrize(("ago", "later"), [(60, 0), (1, 0), (0, 1), (-3600, 3601)])
def test_a_release_is_later_than_the_one_before(ago: int, later: int) -> None:
    before = MADE - datetime.timedelta(seconds=ago)
    text, made, _ = repository.dated(RELEASE, 1, before)
    assert made == MADE + datetime.timedelta(seconds=later)
    assert f"Date: {made:%a, %d %b %Y %H:%M:%S} UTC\n" in text


def test_the_file_for_apt() -> None:
    assert serve.sources("http://127.0.0.1:8000/", "bookworm").splitlines() == [
        "Types: deb",
        "URIs: http://127.0.0.1:8000/",
        "Suites: bookworm",
        "Components: main",
        "Architectures: amd64",
        "Signed-By: /etc/apt/keyrings/airflow-archive-keyring.asc",
    ]


def test_the_state_is_where_dists_leads(tmp_path: Path) -> None:
    here = Repository(tmp_path / "repo")
    assert here.state is None
    assert here.catalogue() == {}
    here.path.mkdir()
    (here.path / "dists").symlink_to(".state/7/public/dists")
    assert here.state == here.path / ".state" / "7"


@pytest.mark.parametrize("name", ["dists", "pool", "buildinfo"])
def test_what_is_somebody_else_s_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match=f"{name} is not ours"):
        Repository(tmp_path).catalogue()


def test_what_the_first_publication_left_when_it_was_killed_is_ours(tmp_path: Path) -> None:
    for name in ("pool", "buildinfo", ".state"):
        (tmp_path / name).mkdir()
    assert Repository(tmp_path).state is None

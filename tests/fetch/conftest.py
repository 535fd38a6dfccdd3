"""What the tests of fetching and locking share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fake_index import QUICK, FakeIndex, serve

from airflow_deb.index import Index
from airflow_deb.paths import Paths


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no index of this machine gets into a test."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def fake() -> Iterator[FakeIndex]:
    """A server for one test."""
    fake, server = serve()
    yield fake
    server.shutdown()
    server.server_close()


@pytest.fixture
def index(fake: FakeIndex) -> Index:
    """A client of `fake` that retries without waiting."""
    return Index(f"{fake.url}/simple", retries=QUICK)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A project and a cache of its own."""
    return Paths(tmp_path / "project", tmp_path / "cache")

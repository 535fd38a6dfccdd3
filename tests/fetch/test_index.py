"""The Simple API, credentials, proxies, and which index is meant."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path

import pytest
from tests.fake_index import QUICK, FakeIndex, lock_of, serve

from airflow_deb import fetch, index
from airflow_deb.errors import ConfigError, NetworkError
from airflow_deb.index import Index
from airflow_deb.paths import Paths
from airflow_deb.web import public


def test_json_tells_everything(fake: FakeIndex, index: Index) -> None:
    file = fake.add("a", "1", b"content")
    (found,) = index.files("A")
    assert (found.filename, found.sha256, found.size) == (file.filename, file.sha256, 7)
    assert found.uploaded == datetime.datetime(2021, 6, 1, tzinfo=datetime.UTC)
    assert found.url == f"{fake.url}/files/{file.filename}"
    assert "vnd.pypi.simple.v1+json" in fake.requests[0][1]["accept"]


@pytest.mark.parametrize("relative", [True, False])
def test_html_is_enough_to_fetch(
    fake: FakeIndex, index: Index, paths: Paths, relative: bool
) -> None:
    fake.html, fake.relative = True, relative
    file = fake.add("a", "1", b"content")
    (found,) = index.files("a")
    assert (found.sha256, found.size, found.uploaded) == (file.sha256, None, None)
    assert found.requires_python == ">=3"
    fetch.fetch(fetch.plan([lock_of(file)], paths), paths, None, index)
    assert paths.download(file.sha256, file.filename).read_bytes() == b"content"


def test_an_unknown_project_has_no_files(index: Index) -> None:
    assert index.files("nothing") == ()


def test_nonsense_is_an_error(fake: FakeIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.add("a", "1", b"content")
    monkeypatch.setattr("json.loads", lambda _: {"files": [{}]})
    with pytest.raises(NetworkError, match="answered nonsense about a"):
        Index(f"{fake.url}/simple", retries=QUICK).files("a")


def _with_user(url: str, user: str) -> str:
    return url.replace("http://", f"http://{user}@")


def test_credentials_are_sent_and_never_shown(fake: FakeIndex, paths: Paths) -> None:
    fake.credentials = "me:s3/cret"
    file = fake.add("a", "1", b"content")
    known = Index(_with_user(fake.url, "me:s3%2Fcret") + "/simple", retries=QUICK)
    fetch.fetch(fetch.plan([lock_of(file)], paths), paths, None, known)
    assert "***@" in known.name
    wrong = Index(_with_user(fake.url, "me:other") + "/simple", retries=QUICK)
    with pytest.raises(NetworkError, match="status 401") as caught:
        wrong.files("a")
    assert "other" not in str(caught.value)
    assert "credentials" in caught.value.hint


def test_credentials_stay_with_their_host(fake: FakeIndex, paths: Paths) -> None:
    elsewhere, server = serve()
    file = elsewhere.add("a", "1", b"content")
    fake.files = dict(elsewhere.files)
    fake.credentials = "me:secret"
    own = fake.url
    try:
        client = Index(_with_user(own, "me:secret") + "/simple", retries=QUICK)
        fake.url = elsewhere.url  # The pages of the one link to the files of the other.
        fetch.fetch(fetch.plan([lock_of(file)], paths), paths, None, client)
    finally:
        server.shutdown()
        server.server_close()
    assert all("authorization" in headers for _, headers in fake.requests)
    assert [path for path, _ in elsewhere.requests] == [f"/files/{file.filename}"]
    assert all("authorization" not in headers for _, headers in elsewhere.requests)


def test_a_closed_port_does_not_show_the_password() -> None:
    with pytest.raises(NetworkError) as caught:
        Index("http://me:secret@127.0.0.1:9/simple", retries=QUICK).files("a")
    assert "secret" not in str(caught.value)
    assert "127.0.0.1:9" in str(caught.value)


def test_a_proxy_is_used_unless_the_host_is_excepted(
    fake: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = fake.add("a", "1", b"content")
    monkeypatch.setenv("http_proxy", _with_user(fake.url, "proxy:pw"))
    monkeypatch.setenv("no_proxy", "localhost")
    target = fake.url
    fake.url = "http://index.invalid"  # Reached through the proxy or not at all.
    (found,) = Index("http://index.invalid/simple", retries=QUICK).files("a")
    assert found.filename == file.filename
    assert fake.requests[0][1]["proxy-authorization"].startswith("Basic ")
    monkeypatch.setenv("no_proxy", "index.invalid")
    with pytest.raises(NetworkError):
        Index("http://index.invalid/simple", retries=QUICK).files("a")
    assert target


def test_unreadable_certificates_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match=r"none\.pem"):
        Index("https://127.0.0.1:9/simple", retries=QUICK).files("a")


def test_an_index_is_an_address() -> None:
    with pytest.raises(ConfigError, match="not an http"):
        Index("file:///opt/simple")


def _pip_says(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    def run(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 0, text, "")

    monkeypatch.setattr(subprocess, "run", run)
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)


def test_the_environment_goes_before_pips_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    _pip_says(monkeypatch, "global.index-url='https://me:pw@a/simple'\nglobal.cert='x'\n")
    assert index.configured() == "https://me:pw@a/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://b/simple")
    assert index.configured() == "https://b/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "mine=https://c/simple")
    assert index.configured() == "https://c/simple"


def test_without_any_setting_pip_tells_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    _pip_says(monkeypatch, "global.find-links='/x'\nnonsense\n")
    found = index.configured()
    assert found == index.default()
    assert found.startswith("https://")
    assert found.endswith("/simple")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://u:p@h/simple and http://t@h2/", "https://***@h/simple and http://***@h2/"),
        ("https://h/simple/a@b", "https://h/simple/a@b"),
    ],
)
def test_public(text: str, shown: str) -> None:
    assert public(text) == shown

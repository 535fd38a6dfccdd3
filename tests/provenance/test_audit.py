"""Audits of a small lock, against an index and advisories on loopback and in files."""

from __future__ import annotations

import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.fake_index import FakeIndex, serve

from airflow_deb import audit, lockfile, paths, versions
from airflow_deb.errors import AuditError, ConfigError, NetworkError, UsageError
from airflow_deb.lockfile import Lock, Locked
from airflow_deb.official import Official
from airflow_deb.paths import Paths
from airflow_deb.settings import Settings

MATRIX = versions.load(paths.PROJECT / "versions.sh")
METADATA = "Metadata-Version: 2.1\nName: x\nVersion: 1\n"


def record(id_: str, name: str, *events: dict[str, str], **others: Any) -> dict[str, Any]:
    """An advisory in the OSV schema."""
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}]
    package = {"ecosystem": "PyPI", "name": name}
    return {
        "id": id_,
        "modified": "2026-01-01T00:00:00Z",
        "summary": f"something about {name}",
        "affected": [{"package": package, "ranges": ranges}],
        **others,
    }


# Two records of one thing, one that was withdrawn, one without a fix, one of other versions.
RECORDS = [
    record("PYSEC-1", "Jinja2", {"introduced": "0"}, {"fixed": "2.11.3"}, aliases=["CVE-1"]),
    record("GHSA-1", "jinja2", {"introduced": "0"}, {"fixed": "2.11.3"}, aliases=["CVE-1"]),
    record("PYSEC-2", "jinja2", {"introduced": "2.11.3"}, {"fixed": "3.0.1"}),
    record("PYSEC-3", "old", {"introduced": "0"}, {"last_affected": "9"}),
    record("PYSEC-4", "lib", {"introduced": "1.0"}, {"fixed": "1.0.5"}),
    record("PYSEC-5", "lib", {"introduced": "0"}, withdrawn="2026-01-01T00:00:00Z"),
    record("PYSEC-6", "lib", {"introduced": "7"}),
    record("PYSEC-7", "elsewhere", {"introduced": "0"}),
]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeIndex]:
    """The index, with the files of the lock and later ones."""
    fake, server = serve()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{fake.url}/simple")
    yield fake
    server.shutdown()
    server.server_close()


@pytest.fixture
def places(fake: FakeIndex, tmp_path: Path) -> Paths:
    """A checkout with a lock of four."""
    places = Paths(tmp_path / "project", tmp_path / "cache")
    locked = [
        fake.add("apache_airflow", "2.1.0", b"airflow"),
        fake.add("jinja2", "2.11.2", b"old"),
        fake.add(
            "old",
            "1.0",
            sdist("old-1.0", "lib<2\n\n[x:python_version>'3']\njinja2>5\n"),
            wheel=False,
        ),
        fake.add("lib", "1.0.4", b"lib"),
    ]
    for version, day in (("2.11.3", "2021-01-31"), ("3.0.1", "2021-05-18")):
        fake.add("jinja2", version, b"new")
        fake.uploaded[f"jinja2-{version}-py3-none-any.whl"] = day
    fake.add("lib", "1.0.5", b"newer")
    fake.uploaded["lib-1.0.5-py3-none-any.whl"] = "2021-09-01"
    needs = "Requires-Dist: jinja2 (<2.12.0,>=2.10.1)\nRequires-Dist: lib\nRequires-Dist: old\n"
    fake.metadata["apache_airflow-2.1.0-py3-none-any.whl"] = METADATA + needs
    fake.metadata["jinja2-2.11.2-py3-none-any.whl"] = METADATA
    fake.metadata["lib-1.0.4-py3-none-any.whl"] = METADATA
    lock(places, locked)
    return places


def sdist(stem: str, requires: str) -> bytes:
    """An sdist as setuptools made them when PKG-INFO did not tell what they require."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in (
            (f"{stem}/PKG-INFO", METADATA),
            (f"{stem}/x.egg-info/requires.txt", requires),
        ):
            header = tarfile.TarInfo(name)
            header.size = len(text)
            tar.addfile(header, io.BytesIO(text.encode()))
    return buffer.getvalue()


def lock(places: Paths, files: list[Locked], header: tuple[str, ...] = ("a lock",)) -> None:
    own = places.requirements / "2.1.0"
    named = tuple(
        Locked(f.name.replace("_", "-"), f.version, f.sha256, f.filename, f.size) for f in files
    )
    for name, content in (("bullseye.lock", named), ("bullseye-build.lock", ())):
        path = own / name
        paths.write_text(path, Lock(path, header, content).render())
    assert lockfile.load(own / "bullseye.lock").files == tuple(sorted(named))


def database(tmp_path: Path, records: list[dict[str, Any]] | None = None) -> str:
    path = tmp_path / "osv.json"
    path.write_text(json.dumps(RECORDS if records is None else records))
    return str(path)


def found(
    places: Paths, db: str, capsys: pytest.CaptureFixture[str], *, fails: bool = True
) -> dict[str, Any]:
    """What the audit says as JSON."""
    wanted = Settings(version="2.1.0", db=db, format="json")
    if fails:
        with pytest.raises(AuditError):
            audit.audit(places, MATRIX, wanted)
    else:
        audit.audit(places, MATRIX, wanted)
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_what_is_known_and_what_clears_it(
    places: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = found(places, database(tmp_path), capsys)
    jinja, lib, old = document["findings"]
    # Records of the same thing are one; 2.11.3 would only bring the next.
    assert jinja["ids"] == ["PYSEC-1", "GHSA-1", "CVE-1"]
    assert (jinja["clear"], jinja["uploaded"], jinja["remedy"]) == (
        "3.0.1",
        "2021-05-18",
        "override",
    )
    assert jinja["in_the_way"] == ["apache-airflow: jinja2<2.12.0,>=2.10.1"]
    assert (lib["ids"], lib["clear"], lib["remedy"]) == (["PYSEC-4"], "1.0.5", "date")
    assert lib["uploaded"] == "2021-09-01" and lib["in_the_way"] == []
    assert (old["ids"], old["clear"], old["remedy"]) == (["PYSEC-3"], None, "none")
    assert document["counts"] == {
        "vulnerabilities": 3,
        "distributions": 3,
        "cleared by a later date": 1,
        "cleared by an override": 1,
        "of these against Airflow or a provider": 1,
        "without a remedy": 1,
        "yanked": 0,
        "deleted": 0,
        "accepted": 0,
        "expired": 0,
    }


def test_the_report_for_people(
    places: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AuditError, match="3 findings that nobody has accepted"):
        audit.audit(places, MATRIX, Settings(version="2.1.0", db=database(tmp_path)))
    said = capsys.readouterr().out
    assert "with the override jinja2==3.0.1; in the way: apache-airflow: jinja2" in said
    assert "cleared by 1.0.5: asof=2021-09-01 or later" in said
    assert "no release clears it" in said


@pytest.mark.parametrize("form", ["zip", "directory", "yaml", "records"])
def test_the_forms_of_a_database(
    places: Paths, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "db"
    if form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for number, one in enumerate(RECORDS):
                archive.writestr(f"{number}.json", json.dumps(one))
    elif form == "records":
        path.write_text(json.dumps(RECORDS))
    else:
        for number, one in enumerate(RECORDS):
            # What is JSON is YAML.
            ending = "yaml" if form == "yaml" else "json"
            paths.write_text(path / "vulns" / one["id"] / f"{number}.{ending}", json.dumps(one))
        (path / "README").write_text("no record")
    assert found(places, str(path), capsys)["counts"]["vulnerabilities"] == 3


def test_nothing_known_is_a_pass(
    places: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = found(places, database(tmp_path, RECORDS[-1:]), capsys, fails=False)
    assert document["findings"] == []


def test_yanked_and_deleted(
    places: Paths, fake: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.yanked.add("lib-1.0.4-py3-none-any.whl")
    del fake.files["old-1.0.tar.gz"]
    document = found(places, database(tmp_path, RECORDS[-1:]), capsys)
    assert [(f["name"], f["kind"], f["summary"]) for f in document["findings"]] == [
        ("lib", "yanked", "lib-1.0.4-py3-none-any.whl"),
        ("old", "deleted", "old-1.0.tar.gz"),
    ]


def test_what_is_accepted_until_a_date(
    places: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = places.requirements / "2.1.0" / "accepted.txt"
    policy.write_text(
        "# ours\n"
        "Jinja2 cve-1 9999-12-31  # templates are our own\n"
        "lib PYSEC-4 9999-12-31  # not reachable\n"
        "old PYSEC-3 9999-12-31  # replaced soon\n"
        "old yanked 9999-12-31  # of yore\n"
    )
    document = found(places, database(tmp_path), capsys, fails=False)
    assert document["counts"]["accepted"] == 3
    assert document["findings"][0]["reason"] == "templates are our own"
    audit.audit(places, MATRIX, Settings(version="2.1.0", db=database(tmp_path)))
    assert "accepted.txt:5: old yanked is not found any more" in capsys.readouterr().out


def test_what_is_no_longer_accepted_fails(
    places: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = places.requirements / "2.1.0" / "accepted.txt"
    policy.write_text(
        "jinja2 CVE-1 2020-01-31  # templates are our own\n"
        "lib PYSEC-4 9999-12-31  # not reachable\n"
        "old PYSEC-3 9999-12-31  # replaced soon\n"
    )
    with pytest.raises(
        AuditError, match="1 findings that nobody has accepted, 1 of them no longer"
    ):
        audit.audit(places, MATRIX, Settings(version="2.1.0", db=database(tmp_path)))
    assert "was accepted until 2020-01-31: templates are our own" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("jinja2 CVE-1 2030-01-31", "CVE-1 has no reason"),
        ("jinja2 CVE-1  # why", "not what is accepted: 'jinja2 CVE-1'"),
        ("jinja2 CVE-1 31.1.2030  # why", "'31.1.2030' is not a date"),
    ],
)
def test_a_malformed_policy(places: Paths, tmp_path: Path, line: str, what: str) -> None:
    policy = places.requirements / "2.1.0" / "accepted.txt"
    policy.write_text(f"\n{line}\n")
    with pytest.raises(ConfigError, match=rf"requirements/2\.1\.0/accepted\.txt:2: {what}"):
        audit.audit(places, MATRIX, Settings(version="2.1.0", db=database(tmp_path)))


def test_an_override_of_ours_stands_in_the_way(
    places: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then what Airflow asks for does not: the override is in its place."""
    own = places.requirements / "2.1.0"
    (own / "overrides.txt").write_text("jinja2==2.11.2  # because\n")
    (own / "constraints.txt").write_text("lib<1.0.5  # because\n")
    jinja, lib, _ = found(places, database(tmp_path), capsys)["findings"]
    assert jinja["in_the_way"] == ["requirements/2.1.0/overrides.txt:1: jinja2==2.11.2"]
    assert lib["in_the_way"] == ["requirements/2.1.0/constraints.txt:1: lib<1.0.5"]
    assert lib["remedy"] == "override"


def test_official_constraints_stand_in_the_way(
    places: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They pin what a lock has: no later day brings another version, an override does."""
    kept = lockfile.load(places.requirements / "2.1.0" / "bullseye.lock").files
    for recorded, expected in (
        (Official("", "", "").recorded, "date"),
        (Official("https://example.org/c.txt", "lib==1.0.4\n", "").recorded, "override"),
    ):
        lock(places, list(kept), ("a lock", f"Official constraints: {recorded}."))
        _, lib, _ = found(places, database(tmp_path), capsys)["findings"]
        assert lib["remedy"] == expected
    assert lib["in_the_way"] == ["official constraints: https://example.org/c.txt"]
    (places.requirements / "2.1.0" / "overrides.txt").write_text("lib==1.0.4  # because\n")
    _, lib, _ = found(places, database(tmp_path), capsys)["findings"]
    assert lib["in_the_way"] == ["requirements/2.1.0/overrides.txt:1: lib==1.0.4"]


def test_what_is_no_database(places: Paths, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.json").write_text("no JSON")
    (tmp_path / "other.json").write_text('{"affected": [{"package": {"ecosystem": "PyPI"}}]}')
    for name in ("missing", "empty", "text.json"):
        with pytest.raises(UsageError, match="DB="):
            audit.audit(places, MATRIX, Settings(version="2.1.0", db=str(tmp_path / name)))
    with pytest.raises(ConfigError, match=r"other\.json is no OSV record"):
        audit.audit(places, MATRIX, Settings(version="2.1.0", db=str(tmp_path / "other.json")))


class _Service(BaseHTTPRequestHandler):
    """The query interface of OSV: one package and version at a time."""

    def log_message(self, format: str, *args: object) -> None:
        """Keep pytest's output clean."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name, version = asked["package"]["name"], asked["version"]
        known = [RECORDS[1]] if (name, version) == ("jinja2", "2.11.2") else []
        body = json.dumps({"vulns": known} if known else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def service() -> Iterator[str]:
    """The address of an OSV service."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1/query"
    server.shutdown()
    server.server_close()


def test_a_service_is_asked_through_pip_audit(
    places: Paths, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (jinja,) = found(places, service, capsys)["findings"]
    assert set(jinja["ids"]) == {"GHSA-1", "CVE-1"}
    # The service tells of the locked version alone, so the first fix is what clears it.
    assert (jinja["clear"], jinja["remedy"]) == ("2.11.3", "override")
    assert jinja["in_the_way"] == []


def test_a_service_that_does_not_answer(places: Paths) -> None:
    with pytest.raises(NetworkError, match="give a database as a file"):
        audit.audit(places, MATRIX, Settings(version="2.1.0", db="http://127.0.0.1:9/v1/query"))

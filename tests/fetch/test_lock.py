"""`make lock` against the fake index, with a resolver that is told its answer."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest
from tests.fake_index import FakeIndex

from airflow_deb import container, lock, needs, resolve, roots, versions
from airflow_deb.errors import AirflowDebError, BuildError, ConfigError, GoneError, NetworkError
from airflow_deb.lock import LockReport
from airflow_deb.paths import Paths

PROJECT = Path(__file__).resolve().parents[2]


class Bench:
    """A project of one cell whose resolver says what ``pins`` says."""

    def __init__(self, paths: Paths, fake: FakeIndex) -> None:
        self.paths = paths
        self.fake = fake
        self.pins = {"apache-airflow": "2.1.0", "black": "21.6b0"}
        self.jobs: list[resolve.Job] = []
        self.failure: AirflowDebError | None = None
        self.own = paths.requirements / "2.1.0"
        for name, version in {**self.pins, "setuptools": "57.0.0"}.items():
            fake.add(name.replace("-", "_"), version, name.encode())

    def resolve(self, job: resolve.Job, **_: object) -> dict[str, str]:
        """Stand in for `resolve.run`."""
        self.jobs.append(job)
        if self.failure:
            raise self.failure
        return {"setuptools": "57.0.0"} if job.wheels_only else self.pins

    def make(self, constraints: str = "none") -> LockReport:
        """Lock the cell."""
        matrix = versions.load(PROJECT / "versions.sh")
        return lock.make(self.paths, matrix, matrix.cell("2.1.0"), constraints=constraints)

    def content(self) -> dict[str, bytes]:
        """Everything in requirements/2.1.0."""
        return {path.name: path.read_bytes() for path in self.own.iterdir()}


@pytest.fixture
def bench(fake: FakeIndex, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(paths, fake)
    bench.own.mkdir(parents=True)
    (bench.own / "build-tools.txt").write_text("setuptools==57.0.0  # why\n")
    (bench.own / "overrides.txt").write_text("a>=2  # why\n")
    (bench.own / "constraints.txt").write_text("b<3  # why\n")
    shutil.copytree(PROJECT / "debian", paths.project / "debian")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{fake.url}/simple")
    monkeypatch.setattr(roots, "ensure", lambda *_: paths.cache)
    monkeypatch.setattr(roots, "installed", lambda _: {"python3.9": "3.9.2-1", "libc6": "2.31-13"})
    monkeypatch.setattr(needs, "load", lambda *_: ())
    monkeypatch.setattr(container, "remove", lambda _: None)
    monkeypatch.setattr(resolve, "run", bench.resolve)
    return bench


def test_both_locks_and_what_is_asked_for_are_written(bench: Bench) -> None:
    report = bench.make()
    packaged, tools = report.locks
    assert [file.name for file in packaged.files] == ["apache-airflow", "black"]
    assert [file.name for file in tools.files] == ["setuptools"]
    text = (bench.own / "bullseye.lock").read_text()
    assert "Make it again: make lock VERSION=2.1.0 SUITE=bullseye CONSTRAINTS=none\n" in text
    assert "uploaded until 2021-06-30." in text
    assert "127.0.0.1" not in text
    assert "apache-airflow[all]==2.1.0\n" in (bench.own / "requirements.in").read_text()
    assert report.prereleases == ("black 21.6b0",)


def test_the_resolver_gets_what_is_written_down(bench: Bench) -> None:
    bench.make()
    tools, packaged = bench.jobs
    assert tools.requirements == ("setuptools==57.0.0",)
    assert tools.wheels_only
    assert packaged.overrides == ("a>=2",)
    assert packaged.constraints == ("b<3",)
    assert packaged.build == ("setuptools<=57.0.0",)
    assert packaged.before == tools.before == lock.end_of(packaged.before.date()).replace(day=1)


def test_made_again_it_is_the_same_bytes(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.make()
    first = bench.content()
    capsys.readouterr()
    report = bench.make()
    assert bench.content() == first
    assert not any(report.changes)
    out = capsys.readouterr().out
    assert "requirements/2.1.0/bullseye.lock: unchanged" in out
    assert "requirements/2.1.0/bullseye-build.lock: unchanged" in out


def test_a_change_is_told(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.make()
    bench.fake.add("idna", "3.1", b"idna")
    bench.fake.add("black", "22.1", b"black")
    bench.pins = {"apache-airflow": "2.1.0", "black": "22.1", "idna": "3.1"}
    bench.make()
    out = capsys.readouterr().out
    assert "requirements/2.1.0/bullseye.lock: 1 added, 1 changed\n" in out
    assert "  + idna 3.1\n  ~ black 21.6b0 → 22.1\n" in out


def test_a_malformed_lock_is_replaced(bench: Bench) -> None:
    bench.make()
    good = bench.content()
    (bench.own / "bullseye.lock").write_text("<<<<<<< HEAD\n")
    bench.make()
    assert bench.content() == good


@pytest.mark.parametrize(
    "failure", [BuildError("no solution"), NetworkError("index gone"), None], ids=str
)
def test_a_failure_changes_nothing(bench: Bench, failure: AirflowDebError | None) -> None:
    bench.make()
    before = bench.content()
    bench.failure = failure
    bench.pins = {"apache-airflow": "2.1.0", "nowhere": "1.0"}
    with pytest.raises(type(failure) if failure else GoneError):
        bench.make()
    assert bench.content() == before


def test_official_constraints_are_recorded_and_give_way(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "constraints-3.9.txt"
    file.write_text("# official\nA==1.0\nb==2.0\nc==3.0\n")
    report = bench.make(str(file))
    assert bench.jobs[1].constraints == ("b==2.0", "c==3.0", "b<3")
    assert report.dropped == ("A==1.0 (requirements/2.1.0/overrides.txt:1 has a>=2)",)
    assert "dropped from the official constraints: A==1.0" in capsys.readouterr().out
    text = (bench.own / "bullseye.lock").read_text()
    assert "# Official constraints: constraints-3.9.txt, sha256 " in text
    assert "CONSTRAINTS=constraints-3.9.txt\n" in text
    assert str(tmp_path) not in text


def test_official_constraints_come_from_an_address(bench: Bench) -> None:
    bench.fake.files["c.txt"] = b"c==3.0\n"
    bench.make(f"{bench.fake.url}/files/c.txt")
    assert bench.jobs[1].constraints == ("c==3.0", "b<3")
    with pytest.raises(NetworkError):
        bench.make(f"{bench.fake.url}/files/missing.txt")


def test_that_there_are_no_official_constraints_is_said(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = versions.load(PROJECT / "versions.sh")
    missing = versions.Matrix(
        matrix.path, matrix.suites, matrix.versions, f"{bench.fake.url}/{{version}}/{{python}}"
    )
    lock.make(bench.paths, missing, matrix.cell("2.1.0"), constraints="")
    out = capsys.readouterr().out
    assert f"official constraints: none, {bench.fake.url}/2.1.0/3.9 answered with status 404" in out
    assert "CONSTRAINTS=none" in (bench.own / "bullseye.lock").read_text()


def test_the_security_lock_has_the_newest_patch_levels(bench: Bench) -> None:
    """Of what is locked, within the ranges, as of its own day, with the same build tools."""
    text = "official==1\n"
    (bench.own / "official.txt").write_text(text)
    bench.make(str(bench.own / "official.txt"))
    before = bench.content()
    bench.jobs.clear()
    bench.pins |= {"black": "21.6.1"}
    bench.fake.add("black", "21.6.1", b"newer")
    bench.fake.uploaded["black-21.6.1-py3-none-any.whl"] = "2026-01-01"
    matrix = versions.load(PROJECT / "versions.sh")
    report = lock.make(bench.paths, matrix, matrix.cell("2.1.0", security=True))
    (job,) = bench.jobs
    assert job.before == lock.end_of(matrix.versions["2.1.0"].security or datetime.date.min)
    assert job.constraints == (
        "b<3",
        "apache-airflow>=2.1.0,==2.1.*",
        "black>=21.6b0,==21.6.*",
    )
    assert job.overrides == ("a>=2",)
    assert [f"{f.name} {f.version}" for f in report.locks[0].files] == [
        "apache-airflow 2.1.0",
        "black 21.6.1",
    ]
    after = bench.content()
    security = after.pop("bullseye-security.lock").decode()
    assert after == before
    assert "Make it again: make lock VERSION=2.1.0 SUITE=bullseye SECURITY=1\n" in security
    assert "uploaded until 2026-" in security


def test_a_security_lock_needs_the_other_one(bench: Bench) -> None:
    matrix = versions.load(PROJECT / "versions.sh")
    with pytest.raises(ConfigError, match=r"bullseye-build\.lock does not exist"):
        lock.make(bench.paths, matrix, matrix.cell("2.1.0", security=True))

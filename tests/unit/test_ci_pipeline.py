"""What a CI is to do for the cells that `make matrix` lists."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from tests.unit.checkout import checkout

from airflow_deb import paths
from airflow_deb.paths import Paths
from ci import pipeline

PROJECT = paths.PROJECT
CELLS = [
    {"version": "2.1.0", "suite": "bullseye", "python": "3.9", "locked": "yes"},
    {"version": "3.3.2", "suite": "trixie", "python": "3.13", "locked": "no"},
    {"version": "3.3.2", "suite": "bookworm", "python": "3.11", "locked": "yes"},
]


@pytest.fixture
def places(tmp_path: Path) -> Paths:
    return checkout(tmp_path)


def run(monkeypatch: pytest.MonkeyPatch, ci: str, text: str) -> int:
    monkeypatch.setattr("sys.argv", ["pipeline.py", ci])
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    return pipeline.main()


def test_github_gets_one_line_with_each_locked_cell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "github", json.dumps(CELLS)) == 0
    said = capsys.readouterr()
    assert said.out.count("\n") == 1
    assert json.loads(said.out) == {
        "include": [
            {"version": "2.1.0", "suite": "bullseye"},
            {"version": "3.3.2", "suite": "bookworm"},
        ]
    }
    assert said.err == "left out: 3.3.2 on trixie is not locked\n"


def test_gitlab_gets_a_job_for_each_locked_cell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "gitlab", json.dumps(CELLS)) == 0
    child = json.loads(capsys.readouterr().out)
    jobs = {name: job for name, job in child.items() if name not in ("stages", "publish")}
    assert list(jobs) == ["airflow 2.1.0 bullseye", "airflow 3.3.2 bookworm"]
    signed = 'SIGNING_KEY="${AIRFLOW_PACKAGE_KEY:-}"'
    assert [job["script"] for job in jobs.values()] == [
        [f"make deb {chosen} {signed}", f"make test-cell {chosen}"]
        for chosen in ("VERSION=2.1.0 SUITE=bullseye", "VERSION=3.3.2 SUITE=bookworm")
    ]


@pytest.mark.parametrize("text", ["", "make: Entering directory\n[]", "{}", '[{"version": "1"}]'])
def test_what_is_not_the_matrix_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert run(monkeypatch, "github", text) != 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("pipeline.py: ")


def test_no_locked_cell_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither CI takes a matrix without a job."""
    assert run(monkeypatch, "gitlab", json.dumps(CELLS[1:2])) == 1
    assert "make lock" in capsys.readouterr().err


def test_the_cache_is_found_by_content(places: Paths) -> None:
    """Of what the version is made of, and of nothing else."""
    key = pipeline.content_key(places.project, "2.1.0")
    assert key == pipeline.content_key(places.project, "2.1.0")
    (places.project / "scripts" / "airflow-instance").write_text("other")
    paths.write_text(places.requirements / "9.9.9" / "bullseye.lock", "other")
    assert pipeline.content_key(places.project, "2.1.0") == key
    lock = places.requirements / "2.1.0" / "bullseye.lock"
    lock.write_text(lock.read_text() + "# more\n")
    assert pipeline.content_key(places.project, "2.1.0") != key


@pytest.mark.parametrize("name", ["debian/lib/new.py", "versions.sh"])
def test_the_cache_knows_debian_and_versions(tmp_path: Path, name: str) -> None:
    paths.write_text(tmp_path / "versions.sh", "")
    before = pipeline.content_key(tmp_path, "2.1.0")
    paths.write_text(tmp_path / name, "new")
    assert pipeline.content_key(tmp_path, "2.1.0") != before


def test_gitlabs_cache_is_the_builders() -> None:
    """What GitLab keeps is where the builder looks, and where git does not."""
    job = pipeline.gitlab(CELLS[:1], PROJECT)["airflow 2.1.0 bullseye"]
    cache = job["variables"]["AIRFLOW_DEB_CACHE"].removeprefix("$CI_PROJECT_DIR/")
    built = Paths(Path("/project"), Path("/project") / cache)
    for kept in job["cache"]:
        found = {Path("/project") / path for path in kept["paths"]}
        assert found == {built.downloads, built.wheels, built.bytecode}
    ignored = (PROJECT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert f"/{cache.split('/')[0]}/" in ignored


def test_a_change_does_not_begin_with_an_empty_cache(tmp_path: Path) -> None:
    """GitLab has the last cache of the cell under a name that no change is in."""

    def caches() -> dict[str, Any]:
        jobs = pipeline.gitlab(CELLS[:1], tmp_path)
        first, second = jobs["airflow 2.1.0 bullseye"]["cache"]
        assert (second["key"], second["policy"]) == ("2.1.0-bullseye", "push")
        assert first["fallback_keys"] == [second["key"]]
        return dict(first)

    paths.write_text(tmp_path / "versions.sh", "")
    before = caches()
    paths.write_text(tmp_path / "debian/lib/new.py", "new")
    after = caches()
    assert after["key"] != before["key"]
    assert after["fallback_keys"] == before["fallback_keys"]
    workflow = (PROJECT / ".github/workflows/packages.yml").read_text(encoding="utf-8")
    assert "restore-keys: ${{ matrix.version }}-${{ matrix.suite }}-\n" in workflow


def test_both_cis_keep_the_same_files() -> None:
    workflow = (PROJECT / ".github/workflows/packages.yml").read_text(encoding="utf-8")
    job = pipeline.gitlab(CELLS[:1], PROJECT)["airflow 2.1.0 bullseye"]
    endings = {path.rpartition(".")[2] for path in job["artifacts"]["paths"]}
    assert endings == {"deb", "buildinfo", "changes", "json", "SHA256SUMS", "asc"}
    for ending in endings:
        assert f"            dist/*/*.{ending}\n" in workflow


def test_both_cis_publish_tags_alike() -> None:
    """After all packages have passed, on the machine with the key (the rest: tests/repo)."""
    workflow = yaml.safe_load((PROJECT / ".github/workflows/packages.yml").read_text("utf-8"))
    child = pipeline.gitlab(CELLS, PROJECT)
    github, gitlab = workflow["jobs"]["publish"], child["publish"]
    assert workflow[True]["push"]["tags"] == ["*"]  # YAML 1.1 reads the key `on` as true.
    assert github["if"] == "github.ref_type == 'tag'"
    assert gitlab["rules"] == [{"if": "$CI_COMMIT_TAG"}]
    assert github["needs"] == "package"
    assert child["stages"].index(gitlab["stage"]) > child["stages"].index("packages")
    assert github["runs-on"] == ["self-hosted", *gitlab["tags"]]

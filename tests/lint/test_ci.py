"""The CI's files, judged by the schemas of GitHub and GitLab; no network is needed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ci import pipeline

PROJECT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
CELLS = [
    {"version": "2.1.0", "suite": "bullseye", "locked": "yes"},
    {"version": "3.3.2", "suite": "trixie", "locked": "yes"},
]


def validate(schema: str, path: Path) -> None:
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    done = subprocess.run([*words, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.name))
def test_github_workflows_are_valid(path: Path) -> None:
    validate("github-workflows", path)


def test_gitlab_pipeline_is_valid() -> None:
    validate("gitlab-ci", PROJECT / ".gitlab-ci.yml")


def test_gitlab_child_pipeline_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "packages.yml"
    path.write_text(json.dumps(pipeline.gitlab(CELLS, PROJECT)), encoding="utf-8")
    validate("gitlab-ci", path)


def test_a_mistake_would_be_found(tmp_path: Path) -> None:
    """The schemas are those that were meant, and are looked at."""
    child = pipeline.gitlab(CELLS, PROJECT)
    child["airflow 2.1.0 bullseye"]["scripts"] = child["airflow 2.1.0 bullseye"].pop("script")
    path = tmp_path / "packages.yml"
    path.write_text(json.dumps(child), encoding="utf-8")
    with pytest.raises(AssertionError, match=r"airflow 2\.1\.0 bullseye"):
        validate("gitlab-ci", path)
    workflow = WORKFLOWS[0].read_text(encoding="utf-8")
    path.write_text(workflow.replace("runs-on:", "run-on:"), encoding="utf-8")
    with pytest.raises(AssertionError, match="run-on"):
        validate("github-workflows", path)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.name))
def test_actions_are_named_by_their_commit(path: Path) -> None:
    """A tag can be moved to another commit; the comment tells which release it is."""
    uses = re.findall(r"uses: *(.*)", path.read_text(encoding="utf-8"))
    pinned = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert uses
    assert [word for word in uses if not pinned.fullmatch(word)] == []

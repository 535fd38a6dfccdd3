"""The CI's files, judged by the schemas of GitHub and GitLab; no network is needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

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


# Says what it was called with, and what it could read.
MAKE = """\
#!/bin/sh
echo "$@"
for word; do
    case $word in SIGNING_KEY=?*) stat -c %a "${word#*=}"; cat "${word#*=}" ;; esac
done
"""


def github(secret: str, temporary: Path) -> tuple[str, dict[str, str]]:
    """The step that builds, and its environment with the secret ``secret``."""
    workflow = yaml.safe_load(WORKFLOWS[0].read_text(encoding="utf-8"))
    (step,) = (s for s in workflow["jobs"]["package"]["steps"] if "make deb" in s.get("run", ""))
    known = "${{ github.event_name != 'pull_request' && secrets.AIRFLOW_PACKAGE_KEY || '' }}"
    assert step["env"] == {"PACKAGE_KEY": known}
    return step["run"], {"PACKAGE_KEY": secret, "RUNNER_TEMP": str(temporary)}


def gitlab(secret: str, temporary: Path) -> tuple[str, dict[str, str]]:
    """The same; GitLab has the secret in a file."""
    script = pipeline.gitlab(CELLS[:1], PROJECT)["airflow 2.1.0 bullseye"]["script"]
    file = temporary / "file"
    file.write_text(f"{secret}\n", encoding="utf-8")
    file.chmod(0o600)
    return script[0], {"AIRFLOW_PACKAGE_KEY": str(file)} if secret else {}


@pytest.mark.parametrize("ci", [github, gitlab])
@pytest.mark.parametrize("secret", ["", "-----BEGIN\n\nabc \\n $HOME\n-----END"])
def test_packages_are_signed_with_the_secret_where_there_is_one(
    ci: Callable[[str, Path], tuple[str, dict[str, str]]], secret: str, tmp_path: Path
) -> None:
    """From a file that only its owner can read; without it make gets an empty setting."""
    make = tmp_path / "bin" / "make"
    make.parent.mkdir()
    make.write_text(MAKE, encoding="utf-8")
    make.chmod(0o755)
    (tmp_path / "temporary").mkdir()
    text, own = ci(secret, tmp_path / "temporary")
    path = f"{make.parent}:{os.environ['PATH']}"
    env = {"PATH": path, "VERSION": "2.1.0", "SUITE": "bullseye", **own}
    words = ["bash", "-euo", "pipefail", "-c", text]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    called, *rest = done.stdout.splitlines()
    assert called.startswith("deb VERSION=2.1.0 SUITE=bullseye SIGNING_KEY=")
    assert called.endswith("SIGNING_KEY=") is not bool(secret)
    assert rest == (["600", *secret.splitlines()] if secret else [])
    assert not (tmp_path / "temporary" / "package-key.asc").exists()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.name))
def test_actions_are_named_by_their_commit(path: Path) -> None:
    """A tag can be moved to another commit; the comment tells which release it is."""
    uses = re.findall(r"uses: *(.*)", path.read_text(encoding="utf-8"))
    pinned = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert uses
    assert [word for word in uses if not pinned.fullmatch(word)] == []

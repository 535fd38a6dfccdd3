"""What a CI does for a tag, as its files have it: the very commands, with the real aptly."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from tests.repo.conftest import NewWorkshop, take
from tests.repo.workshop import Workshop, packages

from airflow_deb import paths
from ci import pipeline

CELLS = [{"version": "2.1.0", "suite": "bullseye", "locked": "yes"}]
Publish = Callable[[Workshop, Mapping[str, str]], subprocess.CompletedProcess[str]]


def github(here: Workshop, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the last step of the workflow's job; its env is filled from the variables."""
    text = (paths.PROJECT / ".github/workflows/packages.yml").read_text(encoding="utf-8")
    job = yaml.safe_load(text)["jobs"]["publish"]
    env = {}
    for name, expression in job["env"].items():
        variable, _, default = expression.strip("${} ").partition(" || ")
        env[name] = variables.get(variable.removeprefix("vars."), default.strip("'"))
    return shell(here, ["bash", "-eo", "pipefail", "-c", job["steps"][-1]["run"]], env)


def gitlab(here: Workshop, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the script of the child pipeline's job."""
    job = pipeline.gitlab(CELLS, paths.PROJECT)["publish"]
    return shell(here, ["bash", "-eo", "pipefail", "-c", "\n".join(job["script"])], variables)


def shell(
    here: Workshop, words: list[str], env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=here.path,
        env={**here.environment, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("publish", [github, gitlab])
def test_a_tag_is_published_to_testing_with_the_machine_s_key(
    publish: Publish, new_workshop: NewWorkshop, built: Path
) -> None:
    here = new_workshop()
    take(built, here, "bullseye", "2.1.0")
    where = here.path / "elsewhere"
    key = here.generate("archive <archive@example.org>")
    variables = {"AIRFLOW_REPOSITORY": str(where), "AIRFLOW_SIGNING_KEY": key}
    done = publish(here, variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [name.split()[0] for name in packages(where, "bullseye-testing")] == [
        "airflow",
        "airflow-instances",
    ]
    assert packages(where, "bullseye") == []
    shutil.rmtree(where)
    assert publish(here, {**variables, "AIRFLOW_STAGE": "stable"}).returncode == 0
    assert len(packages(where, "bullseye")) == 2


@pytest.mark.parametrize("publish", [github, gitlab])
@pytest.mark.parametrize("missing", ["AIRFLOW_REPOSITORY", "AIRFLOW_SIGNING_KEY"])
def test_without_a_variable_nothing_is_published(
    publish: Publish, missing: str, new_workshop: NewWorkshop, built: Path
) -> None:
    """Neither in the runner's own checkout nor with a development key."""
    here = new_workshop()
    take(built, here, "bullseye", "2.1.0")
    variables = {"AIRFLOW_REPOSITORY": str(here.path / "elsewhere"), "AIRFLOW_SIGNING_KEY": "x"}
    before = here.files()
    done = publish(here, {**variables, missing: ""})
    assert done.returncode != 0
    assert missing in done.stderr
    assert here.files() == before
    assert not (here.path / "elsewhere").exists()

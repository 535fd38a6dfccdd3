#!/usr/bin/python3
"""From `make matrix FORMAT=json` to what a CI runs: one job for each locked cell.

``… | pipeline.py github`` prints the matrix of a workflow's job (for fromJSON),
``… | pipeline.py gitlab`` a child pipeline; JSON is YAML, too. What a cell's job
does on GitHub is in .github/workflows/packages.yml; what it does on GitLab is here.

Standard library only: it runs on the bare image that the CI starts with.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]

# Of Debian 12, whose tools the builder is made for; make and git get it going.
_IMAGE = "debian:bookworm"
_PACKAGES = "ca-certificates git make python3 python3-venv"
# Below the checkout, as GitLab keeps nothing else, and as .gitignore knows it.
_CACHE = ".cache/airflow-deb"
# Not the roots: they hold devices and other users' files, and are made in a minute.
_CACHED = ("downloads", "wheels", "bytecode")
_KEPT = ("deb", "buildinfo", "changes", "json", "SHA256SUMS", "asc")
# A variable of type file, so its path; unset where it is protected and the branch is not.
_SIGNED = 'SIGNING_KEY="${AIRFLOW_PACKAGE_KEY:-}"'
# The machine that has the repository, as a runner of the project's: the key never leaves it.
_REPOSITORY = "airflow-repository"
_PUBLISH = (
    'make repo REPO="${AIRFLOW_REPOSITORY:?set this variable}"'
    ' SIGNING_KEY="${AIRFLOW_SIGNING_KEY:?set this variable}" TO="${AIRFLOW_STAGE:-testing}"'
)


def github(cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The matrix of the job that builds ``cells``: what is different from one to the other."""
    return {"include": [{key: cell[key] for key in ("version", "suite")} for cell in cells]}


def gitlab(cells: Sequence[dict[str, Any]], project: Path) -> dict[str, Any]:
    """The child pipeline that builds ``cells`` of the checkout ``project``."""
    jobs = {f"airflow {c['version']} {c['suite']}": _job(c, project) for c in cells}
    return {"stages": ["packages", "publish"], **jobs, "publish": _publish()}


def content_key(project: Path, version: str) -> str:
    """Sixteen hex digits for the files that decide what ``version`` downloads and builds."""
    own = project / "requirements" / version
    files = [*own.glob("*"), *(project / "debian").rglob("*"), project / "versions.sh"]
    digest = hashlib.sha256()
    for path in sorted(path for path in files if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(project)} {len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def locked(cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of ``cells`` that can be built; the others are named on stderr."""
    for cell in cells:
        if cell["locked"] != "yes":
            print(f"left out: {cell['version']} on {cell['suite']} is not locked", file=sys.stderr)
    return [cell for cell in cells if cell["locked"] == "yes"]


def _job(cell: dict[str, Any], project: Path) -> dict[str, Any]:
    version, suite = cell["version"], cell["suite"]
    chosen = f"VERSION={version} SUITE={suite}"
    return {
        "stage": "packages",
        # Without a rule no job would run below a merge request's pipeline.
        "rules": [{"when": "on_success"}],
        "image": _IMAGE,
        # A runner whose containers are privileged: the build makes mounts and containers.
        "tags": ["privileged"],
        "timeout": "4 hours",
        "interruptible": True,
        "variables": {"AIRFLOW_DEB_CACHE": f"$CI_PROJECT_DIR/{_CACHE}"},
        "cache": _caches(f"{version}-{suite}", content_key(project, version)),
        "before_script": [
            "apt-get update -qq",
            f"apt-get install -y -qq --no-install-recommends {_PACKAGES}",
        ],
        "script": [f"make deb {chosen} {_SIGNED}", f"make test-cell {chosen}"],
        "artifacts": {
            "name": f"airflow-{version}-{suite}",
            "paths": [f"dist/{suite}/*.{ending}" for ending in _KEPT],
            "expire_in": "4 weeks",
        },
    }


def _caches(cell: str, content: str) -> list[dict[str, Any]]:
    """What is found by ``content``, or else is the last of the ``cell``.

    GitLab takes a fallback by its whole name, not by how it begins, as GitHub does: so
    somebody has to have kept one under it.
    """
    paths = [f"{_CACHE}/{name}/" for name in _CACHED]
    return [
        {"key": f"{cell}-{content}", "fallback_keys": [cell], "paths": paths},
        {"key": cell, "paths": paths, "policy": "push"},
    ]


def _publish() -> dict[str, Any]:
    """The job that publishes what all others have kept, for a tag."""
    return {
        "stage": "publish",
        "rules": [{"if": "$CI_COMMIT_TAG"}],
        "tags": [_REPOSITORY],
        "environment": {"name": _REPOSITORY},
        "resource_group": _REPOSITORY,
        "timeout": "1 hour",
        "script": [_PUBLISH],
    }


def main() -> int:
    """Read the cells from stdin, print what the argument asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ci", choices=("github", "gitlab"))
    ci = parser.parse_args().ci
    try:
        cells = locked(json.load(sys.stdin))
    except (ValueError, KeyError, TypeError):
        print("pipeline.py: stdin is not what `make -s matrix FORMAT=json` prints", file=sys.stderr)
        return 2
    if not cells:
        print("pipeline.py: no cell is locked; lock one: make lock VERSION=…", file=sys.stderr)
        return 1
    if ci == "github":
        print(json.dumps(github(cells)))  # One line, as GITHUB_OUTPUT has it.
    else:
        print(json.dumps(gitlab(cells, PROJECT), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

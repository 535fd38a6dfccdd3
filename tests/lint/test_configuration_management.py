"""The Puppet module and the Ansible role, judged by the linters of both."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PUPPET = PROJECT / "scripts" / "puppet"
ANSIBLE = PROJECT / "scripts" / "ansible"


def run(*words: str, place: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """Run a linter, which may write to ``cache`` alone and asks no network."""
    env = {**os.environ, "XDG_CACHE_HOME": str(cache), "ANSIBLE_HOME": str(cache)}
    env |= {"ANSIBLE_ROLES_PATH": str(ANSIBLE), "ANSIBLE_LOCALHOST_WARNING": "false"}
    return subprocess.run(
        words, cwd=place, env=env, capture_output=True, text=True, check=False, timeout=300
    )


def puppet_lint(place: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    return run("puppet-lint", "--fail-on-warnings", "airflow", place=place, cache=cache)


def ansible_lint(place: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    words = ("ansible-lint", "--offline", "--nocolor", "--strict", "--project-dir", ".", "airflow")
    return run(*words, place=place, cache=cache)


def test_puppet_lint_finds_nothing(tmp_path: Path) -> None:
    done = puppet_lint(PUPPET, tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


def test_puppet_lint_would_find_something(tmp_path: Path) -> None:
    manifests = tmp_path / "airflow" / "manifests"
    manifests.mkdir(parents=True)
    (manifests / "init.pp").write_text('class airflow {\n  file { "/a": mode => 644 }\n}\n')
    assert puppet_lint(tmp_path, tmp_path).returncode != 0


def test_ansible_lint_finds_nothing(tmp_path: Path) -> None:
    done = ansible_lint(ANSIBLE, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ansible_lint_would_find_something(tmp_path: Path) -> None:
    tasks = tmp_path / "airflow" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text("---\n- name: a name\n  shell: ls\n")
    assert ansible_lint(tmp_path, tmp_path).returncode != 0


def test_a_playbook_with_the_role_is_one(tmp_path: Path) -> None:
    """What ansible itself says of it."""
    play = [{"hosts": "localhost", "roles": ["airflow"]}]
    (tmp_path / "site.yml").write_text(json.dumps(play))
    words = ("ansible-playbook", "-i", "localhost,", "--syntax-check", "site.yml")
    done = run(*words, place=tmp_path, cache=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr

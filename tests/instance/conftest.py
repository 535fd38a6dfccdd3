"""An alternate root with made-up installations; no command is run, no port bound."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from airflow_instance import cli
from airflow_instance.facts import Facts
from airflow_instance.host import PaperHost
from airflow_instance.layout import Layout
from airflow_instance.site import Site

# The options of a few sections, in the form that each version's file has.
OLD_CONFIG = """\
- name: core
  options:
    - name: dags_folder
    - name: parallelism
    - name: sql_alchemy_conn
    - name: dag_concurrency
- name: webserver
  options:
    - name: web_server_port
    - name: default_ui_timezone
"""
NEW_CONFIG = """\
core:
  options:
    dags_folder: {default: x}
    parallelism: {default: 32}
    max_active_tasks_per_dag: {}
database:
  options:
    sql_alchemy_conn: {}
    sql_alchemy_pool_size: {}
webserver:
  options:
    web_server_port: {}
    page_size: {}
smtp:
  options:
    smtp_password: {}
    smtp_mail_from: {}
"""
CONFIGURATION = """\
class AirflowConfigParser:
    deprecated_options: dict = {
        ("logging", "remote_logging"): ("core", "remote_logging", "2.0.0"),
    }
"""
PROVIDER = """\
def get_provider_info():
    return {"name": "Celery", "config": {"celery": {"options": {"worker_concurrency": {}}}}}
"""

Run = Callable[..., int]
Swap = Callable[[str], None]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every subprocess and every socket an error."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a unit test may neither run a command nor open a socket")

    # Nothing here has to survive a power cut.
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(socket, "socket", refuse)


def install(root: Path, prefix: str, version: str, python: str, config: str) -> Path:
    """A directory that looks like an installed Airflow."""
    packages = root / prefix.lstrip("/") / "lib" / python / "site-packages"
    (packages / f"apache_airflow-{version}.dist-info").mkdir(parents=True)
    (packages / "apache_airflow_providers_fab-1.0.0.dist-info").mkdir()
    templates = packages / "airflow" / "config_templates"
    templates.mkdir(parents=True)
    (templates / "config.yml").write_text(config)
    (packages / "airflow" / "configuration.py").write_text(CONFIGURATION)
    celery = packages / "airflow" / "providers" / "celery"
    celery.mkdir(parents=True)
    (celery / "get_provider_info.py").write_text(PROVIDER)
    command = root / prefix.lstrip("/") / "bin" / "airflow"
    command.parent.mkdir()
    command.write_text('#!/bin/sh\nfor word; do printf "<%s>" "$word"; done\n')
    command.chmod(0o755)
    return packages


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with three versions of Airflow and nothing declared."""
    place = tmp_path / "root"
    (place / "srv").mkdir(parents=True)
    install(place, "/usr/lib/airflow", "2.11.2", "python3.11", NEW_CONFIG)
    install(place, "/usr/lib/airflow-2.1", "2.1.0", "python3.9", OLD_CONFIG)
    install(place, "/usr/lib/airflow-3.3", "3.3.2", "python3.13", NEW_CONFIG)
    return place


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def site(root: Path, umask: None) -> Site:
    layout = Layout(root)
    facts = Facts(hostname="host", cpus=4, full="host.example.org")
    return Site(layout, facts, PaperHost(layout), can_bind=lambda port: True)


@pytest.fixture
def run(site: Site) -> Run:
    """Run a command line on the site; the exit status."""
    return lambda *words: cli.main(list(words), site)


@pytest.fixture
def declare(site: Site) -> Callable[..., Path]:
    """Write a declaration file; ``where`` is instances, secrets or defaults."""

    def write(name: str, text: str | bytes, where: str = "instances", mode: int = 0) -> Path:
        layout = site.layout
        path = {
            "instances": layout.instance_file(name),
            "secrets": layout.secrets_file(name),
            "defaults": layout.defaults_file,
        }[where]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode or (0o600 if where == "secrets" else 0o644))
        return path

    return write


@pytest.fixture
def swap(root: Path) -> Swap:
    """Put another Airflow where the instance's is, as an upgrade of the package does."""
    place = root / "usr/lib/airflow"

    def put(other: str) -> None:
        place.rename(root / "usr/lib/.away")
        (root / f"usr/lib/airflow-{other}").rename(place)
        (root / "usr/lib/.away").rename(root / f"usr/lib/airflow-{other}")

    return put


def snapshot(root: Path) -> dict[str, object]:
    """Everything below ``root``: kinds, modes, owners, times and contents."""
    found: dict[str, object] = {}
    for directory, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(directory, name)
            status = path.lstat()
            content: object = None
            if path.is_symlink():
                content = os.readlink(path)
            elif path.is_file():
                content = path.read_bytes()
            times = status.st_mtime_ns if not path.is_dir() else 0
            found[str(path)] = (status.st_mode, status.st_uid, status.st_gid, times, content)
    return found

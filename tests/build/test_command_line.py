"""The builder as it is typed: every bad input is one line, a status, and no change."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_deb import run

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Checkout:
    """A copy of the project with a cache of its own."""

    path: Path
    cache: Path

    def deb(self, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run the builder's ``deb`` with ``settings``."""
        keep = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        return subprocess.run(
            [sys.executable, "-m", "airflow_deb", "deb"],
            env={
                **keep,
                "PYTHONPATH": str(self.path / "build"),
                "PYTHONDONTWRITEBYTECODE": "1",
                "AIRFLOW_DEB_CACHE": str(self.cache),
                **settings,
            },
            cwd=self.path,
            capture_output=True,
            text=True,
            check=False,
        )

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace ``old`` in the file ``name``."""
        text = (self.path / name).read_text(encoding="utf-8")
        assert old in text
        (self.path / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    def content(self) -> dict[str, bytes]:
        """All files of checkout and cache."""
        return {
            str(path): path.read_bytes()
            for top in (self.path, self.cache)
            for path in sorted(top.rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    path = tmp_path / "checkout"
    path.mkdir()
    for name in ("build", "debian", "requirements", "scripts"):
        shutil.copytree(PROJECT / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "versions.sh", path)
    cache = tmp_path / "cache"
    cache.mkdir()
    return Checkout(path, cache)


def test_the_plan_is_printed_and_nothing_is_done(checkout: Checkout) -> None:
    before = checkout.content()
    done = checkout.deb(VERSION="2.1.0", DRY_RUN="1")
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()[1:8]] == [
        *("root", "deb", "verify"),
        *("fetch", "wheels", "deb", "verify"),
    ]
    assert "files to download, " in done.stdout
    assert checkout.content() == before


@pytest.mark.parametrize(
    ("settings", "status", "said"),
    [
        ({}, 2, "no version was given"),
        ({"VERSION": "2.11.3"}, 2, "did you mean 2.11.2?"),
        ({"VERSION": "2.1.0", "SUITE": "bulseye"}, 2, "did you mean bullseye?"),
        ({"VERSION": "2.1.0", "SUITE": "trixie"}, 2, "suites that fit: bullseye"),
        ({"VERSION": "2.1.0", "FAST": "perhaps"}, 2, "FAST='perhaps' is not a switch"),
        ({"VERSION": "2.1.0", "COMPRESS": "zstd:3"}, 2, "bullseye's dpkg cannot read zstd"),
        ({"VERSION": "2.1.0", "PACKAGE": "airflow-instance"}, 2, "PACKAGE='airflow-instance' is"),
        ({"VERSION": "2.1.0", "NAME": "airflow_2.1"}, 2, "NAME='airflow_2.1' cannot name"),
        ({"VERSION": "2.1.0", "NAME": "airflow-instances"}, 2, "is the name of something else"),
    ],
)
def test_bad_settings(checkout: Checkout, settings: dict[str, str], status: int, said: str) -> None:
    refused(checkout, settings, status, said)


@pytest.mark.parametrize(
    ("name", "old", "new", "status", "said"),
    [
        ("versions.sh", 'suites="bull', 'suites=`id`"bull', 3, "not a plain assignment"),
        (
            "versions.sh",
            "suites=bullseye ",
            "suites=bullseye,bullseye ",
            3,
            "stands in suites twice",
        ),
        ("requirements/2.1.0/bullseye.lock", "--hash=sha256:", "--hash=md5:", 3, "bullseye.lock:"),
        ("requirements/2.1.0/debian.txt", "# pykerberos", "", 3, "libkrb5-dev has no reason"),
    ],
)
def test_bad_files(
    checkout: Checkout, name: str, old: str, new: str, status: int, said: str
) -> None:
    checkout.edit(name, old, new)
    refused(checkout, {"VERSION": "2.1.0"}, status, said)


def test_a_version_that_is_not_locked_says_how_to_lock_it(checkout: Checkout) -> None:
    (checkout.path / "requirements/2.1.0/bullseye.lock").unlink()
    refused(checkout, {"VERSION": "2.1.0"}, 3, "make lock VERSION=2.1.0 SUITE=bullseye")


def test_who_builds_the_same_cell_is_said(checkout: Checkout) -> None:
    lock = checkout.cache / "run" / "2.1.0-bullseye-airflow.lock"
    lock.parent.mkdir()
    with lock.open("w") as file:
        file.write("process 4242 of somebody since 12:00:00\n")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        refused(
            checkout,
            {"VERSION": "2.1.0", "PACKAGE": "airflow", "NO_WAIT": "1"},
            10,
            "airflow of 2.1.0-bullseye is being built by process 4242 of somebody",
        )


def test_without_the_right_to_install_the_packages_are_named() -> None:
    """A user who is not root and may not sudo, on a machine without our tools."""
    # Seen through a tmpfs of its own, where nobody may read the copy and PATH has nothing.
    script = """
        mkdir -p /run/bootstrap
        mount -t tmpfs tmpfs /run/bootstrap
        cp -r "$1" "$2" /run/bootstrap
        mkdir /run/bootstrap/bin
        ln -s /usr/bin/apt-get /run/bootstrap/bin
        chmod -R a+rX /run/bootstrap
        exec setpriv --reuid=65534 --regid=65534 --clear-groups \\
            env -i PATH=/run/bootstrap/bin HOME=/nonexistent \\
            /usr/bin/python3 /run/bootstrap/build/bootstrap.py deb
    """
    trees = [str(PROJECT / "build"), str(PROJECT / "requirements")]
    done = run.run(
        ["unshare", "--mount", "sh", "-euc", script, "sh", *trees], root=True, check=False
    )
    assert done.status == 4, done.stderr
    assert "missing Debian packages: " in done.stderr
    assert "mmdebstrap" in done.stderr
    assert "systemd-container" in done.stderr
    assert "apt install" in done.stderr


def refused(checkout: Checkout, settings: dict[str, str], status: int, said: str) -> None:
    """Assert that ``settings`` give ``status``, one line that has ``said``, and no change."""
    before = checkout.content()
    done = checkout.deb(**settings)
    assert done.returncode == status, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("airflow-deb: error: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert checkout.content() == before


def test_no_command_waits_for_what_only_an_sbom_needs() -> None:
    """The module that makes a grammar for seconds when it is imported."""
    script = "import sys, airflow_deb.__main__; sys.exit('rfc3987_syntax' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "build")}
    subprocess.run([sys.executable, "-c", script], env=env, check=True)


def test_who_has_read_enough_is_told_nothing() -> None:
    """As `make matrix | head -n 1` has: no traceback."""
    script = f"{sys.executable} -m airflow_deb matrix | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "build")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("141\n", "")

"""The package alone on a clean Debian, used by an ordinary user."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.host.lab import INSIDE, PYTHON, USER, Lab

from airflow_deb.machine import Machine


def test_version(plain: Machine, lab: Lab) -> None:
    """It says its version and nothing else: no warning, no message."""
    said = plain.call(["airflow", "version"], user=USER)
    assert (said.stdout, said.stderr) == (f"{lab.artifact.cell.version.name}\n", "")


def test_version_writes_nothing(plain: Machine, lab: Lab) -> None:
    """Even root, who could, compiles nothing: all bytecode is there and valid."""
    plain.call(["airflow", "version"])
    written = plain.spec.upper / "usr/lib/airflow"
    assert not written.exists(), sorted(written.rglob("*"))[:20]


def test_nothing_optional_is_there(plain: Machine) -> None:
    """What the other tests see needs the package's Depends alone."""
    query = ["dpkg-query", "--show", "--showformat=${Recommends}, ${Suggests}\n", "airflow"]
    optional = set(re.split(r"[,|\s]+", re.sub(r"\(.*?\)", "", plain.call(query).stdout))) - {""}
    assert optional
    listed = plain.call(["dpkg-query", "--show", "--showformat=${Package}\n"]).stdout.split()
    assert optional & set(listed) == set()


def test_user_is_there(plain: Machine) -> None:
    """For daemons: a system user who cannot log in, and has no home to lose."""
    fields = plain.call(["getent", "passwd", "airflow"]).stdout.strip().split(":")
    assert 0 < int(fields[2]) < 1000
    assert fields[5:] == ["/nonexistent", "/usr/sbin/nologin"]


def test_info(plain: Machine, lab: Lab) -> None:
    """`airflow info` comes to its end and knows every provider."""
    said = plain.call(["airflow", "info"], user=USER)
    assert lab.artifact.cell.version.name in said.stdout
    named = {word for word in said.stdout.split() if word.startswith("apache-airflow-providers-")}
    assert len(named) == lab.expected["providers"]["providers"], said.stdout
    assert "Traceback" not in said.stderr


def test_every_provider_imports(providers: dict[str, Any]) -> None:
    """Every module and every hook class of every provider."""
    assert providers["failures"] == {}


def test_no_provider_is_missing(providers: dict[str, Any], expectations: dict[str, Any]) -> None:
    """As many as were counted when the version was added."""
    found = {key: providers[key] for key in expectations["providers"]}
    assert found == expectations["providers"]


def test_bytecode_is_there(providers: dict[str, Any]) -> None:
    """Of all that the providers import, Python compiles nothing itself."""
    assert providers["uncompiled"] == []


def test_files_are_as_packaged(plain: Machine) -> None:
    """dpkg finds its checksums again, and no file missing."""
    assert plain.call(["dpkg", "--verify", "airflow"]).stdout == ""


def test_libraries_are_found(plain: Machine, lab: Lab) -> None:
    """The dynamic linker finds what every compiled file needs."""
    said = plain.call([PYTHON, f"{INSIDE}/find_libraries.py"], user=USER)
    report = json.loads(said.stdout)
    assert report["files"] > 100
    assert report["unresolved"] == lab.expected["libraries"]


def test_pip_refuses_to_change_it(plain: Machine) -> None:
    """Root's pip, with a wheel at hand that needs no network, installs nothing."""
    report = json.loads(plain.call([PYTHON, f"{INSIDE}/try_pip.py"]).stdout)
    assert report["status"] != 0, report["output"]
    assert not report["installed"], report["output"]

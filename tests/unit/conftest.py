"""Unit tests run nothing and reach nothing: what tries, fails."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from airflow_deb import lockfile, needs, stage, versions
from airflow_deb.stage import Recipe

PROJECT = Path(__file__).resolve().parents[2]
LOCK = """\
# a lock
adal==1.2.7 \\
    --hash=sha256:fd17e5661f60634ddf96a569b95d34ccb8a98de60593d729c28bdcfe360eaad1
    # adal-1.2.7-py2.py3-none-any.whl 55457
crcmod==1.7 \\
    --hash=sha256:dc7051a0db5f2bd48665a990d3ec1cc305a466a77358ca4492826f41f283601e
    # crcmod-1.7.tar.gz 89670
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every subprocess and every socket an error."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a unit test may neither run a command nor open a socket")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(socket, "socket", refuse)


@pytest.fixture
def recipe() -> Recipe:
    """The recipe of the first cell with the real debian/ and a lock of two files."""
    cell = versions.load(PROJECT / "versions.sh").cells()[0]
    lock = lockfile.parse(LOCK, PROJECT / "requirements" / "2.1.0" / "bullseye.lock")
    return Recipe(
        cell=cell,
        lock=lock,
        tools=lock,
        needs=needs.parse(
            "build libkrb5-dev  # why\ndepends netbase  # why\n", Path("debian.txt"), "bullseye"
        ),
        debian=stage.read_tree(PROJECT / "debian"),
        inside=stage.read_tree(PROJECT / "build" / "inside"),
        scripts={"airflow-instance": (0o755, b"#!/usr/bin/python3 -I\n")},
        compression=("xz", 2),
    )

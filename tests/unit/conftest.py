"""Unit tests run nothing and reach nothing: what tries, fails."""

from __future__ import annotations

import socket
import subprocess
from typing import NoReturn

import pytest


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every subprocess and every socket an error."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a unit test may neither run a command nor open a socket")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(socket, "socket", refuse)

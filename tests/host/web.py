"""Asking a web server that only the machine itself reaches."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.host.lab import INSIDE, PYTHON, USER

from airflow_deb.machine import Machine


@dataclass(frozen=True)
class Reply:
    """What a web server answered; status 0: it did not."""

    status: int
    body: str

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def ask(machine: Machine, url: str, user: str = "", password: str = "", body: Any = None) -> Reply:
    """Ask for ``url`` on ``machine``; with a body, post to it.

    For the user ``Bearer`` the password is a token.
    """
    command = [PYTHON, f"{INSIDE}/ask.py", url, user, password if user else ""]
    if body is not None:
        command += [json.dumps(body)]
    return Reply(**json.loads(machine.call(command, user=USER).stdout))

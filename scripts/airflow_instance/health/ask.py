"""Looking at an instance: what is asked of the child (inside/examine.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..inside import examine
from ..layout import Layout
from . import child
from .target import Target

_MARGIN = 5.0  # seconds for all that has no limit of its own, such as names of hosts
PARTS = ("disks", "ticket", "web", "hostname", "database")


def look(
    layout: Layout, target: Target, parts: Sequence[str], timeout: float, typed: str
) -> dict[str, Any]:
    """What `examine` found of ``parts``, by part; those that did not come in time are missing.

    ``timeout``, in seconds, is for each answer of the network.

    Raises what `child.user` and `child.run` raise.
    """
    request = {
        "parts": list(parts),
        "packages": target.packages,
        "paths": [target.home, target.logs],
        "ccache": target.ccache,
        "web": target.web,
        "timeout": timeout,
        "hostname": target.hostname,
        "database": {
            "section": target.database[0],
            "key": target.database[1],
            "timeout": timeout,
            "queries": queries(target),
        },
    }
    whom, patience = child.user(layout, target, typed), 2 * timeout + _MARGIN
    # A function of the team's own, for the host's name, runs on a Python of its own.
    if child.fit(target) and target.hostname in examine.KNOWN_NAMES:
        return child.copy(target, whom, lambda: examine.look(request), patience)
    return child.run(target, whom, "examine", request, patience)


def queries(target: Target) -> dict[str, str]:
    """Heartbeats by host, and the revisions. The names are the table's own, not a user's."""
    found = {
        f"revisions {table}": f"SELECT version_num FROM {table}"  # noqa: S608
        for table in target.revisions
    }
    jobs = ", ".join(f"'{daemon.job}'" for daemon in target.daemons if daemon.job)
    if jobs:
        found["beats"] = (
            "SELECT job_type, hostname, MAX(latest_heartbeat) FROM job "  # noqa: S608
            f"WHERE state = 'running' AND job_type IN ({jobs}) GROUP BY job_type, hostname"
        )
    return found

"""What the tests of check have in common: an instance that is well, as it looks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_instance.health import target
from airflow_instance.health.rules import OK, Finding
from airflow_instance.health.target import Target
from airflow_instance.health.units import State
from airflow_instance.site import Site

from .conftest import Run

# What a plugin may print: its status, text, and numbers with unit, limits and ends.
PLUGIN = re.compile(
    r"AIRFLOW (OK|WARNING|CRITICAL|UNKNOWN): [^|\n]+"
    r"( \| ('[^']+'|[\w-]+)=-?[\d.]+(s|%)?(;[\d.:]*){0,4}( ('[^']+'|[\w-]+)=\S+)*)?\n"
)
UP = {"active": "active", "sub": "running", "age": 900.0, "pid": 7}


def applied(site: Site, run: Run, *words: str) -> Target:
    """The target of a new instance called a."""
    run("create", "a", *words)
    return target.load(site.layout, "a")


def seen(**parts: Any) -> dict[str, Any]:
    """What the child says of an instance that is well, ``parts`` replaced."""
    found: dict[str, Any] = {
        "disks": [{"path": "/srv/airflow-a", "free": 50.0, "inodes": 60.0, "bytes": 1}],
        "web": {"seconds": 0.01, "status": 200, "parts": {"scheduler": "healthy"}},
        "hostname": {"name": "here"},
        "database": {
            "seconds": 0.002,
            "rows": {},
            "errors": {},
            "missing": [],
            "beats": [["SchedulerJob", "here", 3.0], ["TriggererJob", "here", 4.0]],
        },
        **parts,
    }
    return {part: value for part, value in found.items() if value is not None}


def states(found: Target, **changed: Mapping[str, Any]) -> dict[str, State]:
    """The daemons as they run, those in ``changed`` otherwise."""
    return {d.unit: State(**{**UP, **changed.get(d.name, {})}) for d in found.daemons}


def bad(findings: list[Finding]) -> list[tuple[str, int]]:
    return [(f.check, f.status) for f in findings if f.status != OK]

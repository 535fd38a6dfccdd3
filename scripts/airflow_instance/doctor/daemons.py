"""Daemons that run with something else than what is there now."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from ..health import units
from ..items import CONFIG, CONNECTIONS, ENVIRONMENT, WEB_CONFIG
from ..layout import CONFIG_FILE, CONNECTIONS_FILE, WEB_CONFIG_FILE, Layout, unit
from .finding import WARNING, Finding, Patient


def outdated(patient: Patient) -> Iterable[Finding]:
    """Every running daemon was started after the files that it reads were written."""
    instance, layout = patient.instance, patient.site.layout
    daemons = {daemon: unit(daemon.name, patient.name) for daemon in instance.daemons}
    states = units.ask(layout, list(daemons.values())) or {}
    files = {
        CONFIG: f"{instance.home}/{CONFIG_FILE}",
        WEB_CONFIG: f"{instance.home}/{WEB_CONFIG_FILE}",
        CONNECTIONS: f"{instance.home}/{CONNECTIONS_FILE}",
        ENVIRONMENT: Layout.environment_file(patient.name),
    }
    now = time.time()
    for daemon, name in daemons.items():
        state = states.get(name)
        if state is None or not state.runs:
            continue
        newer = [
            path
            for kind, path in files.items()
            if kind in daemon.restart_on and _written(patient, path) > now - state.age
        ]
        if newer:
            yield Finding(
                WARNING,
                "daemons",
                f"{daemon.name} runs with an older {', '.join(newer)}",
                f"systemctl restart {name}",
            )


def gave_up(patient: Patient) -> Iterable[Finding]:
    """systemd has given up none of them."""
    daemons = {daemon.name: unit(daemon.name, patient.name) for daemon in patient.instance.daemons}
    states = units.ask(patient.site.layout, list(daemons.values())) or {}
    for daemon, name in daemons.items():
        state = states.get(name)
        if state is not None and state.crashed:
            yield Finding(
                WARNING,
                "daemons",
                f"{daemon} crashed ({state.result})",
                f"journalctl --unit={name} --lines=50",
            )


def _written(patient: Patient, path: str) -> float:
    """When the content of a file last changed; 0 when there is none."""
    try:
        return os.lstat(patient.site.layout.real(path)).st_mtime
    except OSError:
        return 0


CHECKS = (outdated, gave_up)

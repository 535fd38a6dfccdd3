"""What all instances of a host share: its clock, and that they start with it."""

from __future__ import annotations

import os
from collections.abc import Iterable

from .. import declaration
from ..errors import InstanceError
from ..run import run
from ..site import Site
from .finding import ERROR, WARNING, Finding

_UMBRELLA = "airflow.service"


def clock(site: Site) -> Iterable[Finding]:
    """It is set by somebody: schedules, tickets and heartbeats hang on it.

    A container has its host's.
    """
    if site.layout.alternate or not site.host.can_start or os.path.exists("/run/systemd/container"):
        return
    said = run(["timedatectl", "show", "--property=NTPSynchronized", "--value"]).strip()
    if said != "yes":
        yield Finding(
            WARNING,
            "clock",
            "the clock is not set from the network",
            "timedatectl set-ntp true, or apt install systemd-timesyncd or chrony",
        )


def boot(site: Site) -> Iterable[Finding]:
    """Instances that are to start with the host do."""
    if site.layout.alternate or not site.host.can_start:
        return
    starting = [name for name in declaration.listed(site.layout)[0] if _starts(site, name)]
    if not starting:
        return
    try:
        state = run(["systemctl", "is-enabled", _UMBRELLA]).strip()
    except InstanceError:
        state = "disabled"
    if state != "enabled":
        yield Finding(
            ERROR,
            "boot",
            f"{_UMBRELLA} is {state}: {', '.join(starting)} will not start with the host",
            f"systemctl enable {_UMBRELLA}",
        )


def _starts(site: Site, name: str) -> bool:
    try:
        declared = site.load(name, secrets=False)
    except InstanceError:
        return False  # said already
    leaf = declared.leaves.get(("start",))
    return not declared.absent and (leaf is None or leaf.value == "auto")


CHECKS = (clock, boot)

"""What is still there of instances that are not declared any more."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator

from .. import declaration
from ..layout import LAUNCHER, LAUNCHER_DIR, Layout
from ..render import is_managed
from ..site import Site
from .finding import WARNING, Finding

_UNITS = "/etc/systemd/system"
_DROP_INS = re.compile(r"airflow(?:-[a-z-]+)?@(?P<name>[a-z0-9-]+)\.\w+\.d")


def leftovers(site: Site) -> Iterable[Finding]:
    """Every rendered thing belongs to a declared instance."""
    declared = set(declaration.listed(site.layout)[0])
    for name, path in sorted(rendered(site)):
        if name not in declared:
            yield Finding(
                WARNING,
                "leftovers",
                f"{path} is of {name}, which is not declared",
                f"rm {shlex.quote(path)}"
                + (" && systemctl daemon-reload" if path.startswith(_UNITS) else ""),
            )


def rendered(site: Site) -> Iterator[tuple[str, str]]:
    """Every file and link of ours outside homes, with the name of its instance."""
    for example in (
        Layout.environment_file("x"),
        Layout.target_file("x"),
        Layout.prometheus_file("x"),
        Layout.firewall_file("x"),
        Layout.sudoers_file("x"),
        Layout.polkit_file("x"),
    ):
        folder, file = os.path.split(example)
        before, _, after = file.rpartition("x")
        for entry in _entries(site, folder):
            path = f"{folder}/{entry}"
            fits = entry.startswith(before) and entry.endswith(after)
            if fits and is_managed(site.tree.read(path) or b""):
                yield entry[len(before) : len(entry) - len(after)], path
    for entry in _entries(site, LAUNCHER_DIR):
        path = f"{LAUNCHER_DIR}/{entry}"
        status = site.tree.status(path)
        if entry.startswith("airflow-") and status and status.target == LAUNCHER:
            yield entry[len("airflow-") :], path
    for entry in _entries(site, _UNITS):
        match = _DROP_INS.fullmatch(entry)
        path = f"{_UNITS}/{entry}/10-instance.conf"
        if match and is_managed(site.tree.read(path) or b""):
            yield match["name"], path


def _entries(site: Site, folder: str) -> list[str]:
    try:
        return sorted(os.listdir(site.layout.real(folder)))
    except (FileNotFoundError, NotADirectoryError):
        return []


CHECKS = (leftovers,)

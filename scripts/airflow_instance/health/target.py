"""What is to be watched of an instance, as `apply` wrote it down.

Paths, ports and units, no secrets: anyone may read it. A check reads this in place of
the declaration, and so checks what was applied, which is what runs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import names
from ..errors import HostError, UnknownInstanceError
from ..layout import Layout

Option = tuple[str, str]


class Watched(NamedTuple):
    """A daemon. ``job`` is its heartbeat's name, "" when it has none, which is ``stale``
    after so many seconds; ``web`` says whether it is the one that answers `Target.web`."""

    name: str
    unit: str
    job: str = ""
    stale: float = 0
    web: bool = False


class Target(NamedTuple):
    """All that a check needs to know of an instance."""

    name: str
    monitored: bool
    start: str  # auto, manual or disabled
    user: str
    home: str
    logs: str
    python: str
    packages: str
    installation: str  # a directory that is there while the same Airflow is
    database: Option  # the option of airflow.cfg that has the URL
    web: str  # the URL that says how the parts are
    hostname: str  # core.hostname_callable
    ccache: str  # "" without Kerberos
    renewed: float  # seconds between two tickets
    strikes: int  # of the watchdog; 0: it does nothing
    daemons: tuple[Watched, ...]
    # The revisions that the database is to have, by the table that has them.
    revisions: Mapping[str, tuple[str, ...]]

    def dumps(self) -> str:
        """As JSON, for `loads`."""
        data = self._asdict()
        data["daemons"] = [daemon._asdict() for daemon in self.daemons]
        return json.dumps(data, indent=1, sort_keys=True)


def loads(text: str) -> Target:
    """A target from JSON, comment lines before it left out.

    Raises ValueError when it is none, or one of another version of this tool.
    """
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    data: dict[str, Any] = json.loads("\n".join(lines))
    if not isinstance(data, dict) or set(data) != set(Target._fields):
        raise ValueError("other fields than expected")
    section, option = data["database"]
    data["database"] = (section, option)
    data["daemons"] = tuple(Watched(**daemon) for daemon in data["daemons"])
    data["revisions"] = {name: tuple(found) for name, found in data["revisions"].items()}
    return Target(**data)


def load(layout: Layout, name: str) -> Target:
    """The target of the instance ``name``.

    Raises DeclarationError for a bad name, UnknownInstanceError when there is no such
    instance, HostError when it was never applied, or not by this version of the tool.
    """
    path = Layout.target_file(names.check(name))
    try:
        text = layout.real(path).read_text("utf-8")
    except FileNotFoundError as error:
        if layout.instance_file(name).exists():
            raise HostError(
                f"{name} was never applied", hint=f"sudo airflow-instance apply {name}"
            ) from error
        raise UnknownInstanceError(
            f"there is no instance {name}", hint="airflow-instance ls"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise HostError(f"{path} cannot be read: {error}") from error
    try:
        return loads(text)
    except (ValueError, TypeError, KeyError) as error:
        raise HostError(
            f"{path} cannot be understood", hint=f"sudo airflow-instance apply {name}"
        ) from error


def applied(layout: Layout) -> list[str]:
    """The names of all instances that were applied, in order."""
    directory = layout.real(Layout.target_file("x")).parent
    try:
        found = os.listdir(directory)
    except FileNotFoundError:
        return []
    stems = (name[: -len(".conf")] for name in found if name.endswith(".conf"))
    return sorted(stem for stem in stems if not stem.startswith("."))

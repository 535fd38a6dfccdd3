"""The watchdog: a check every minute, and a restart for a daemon that only looks alive."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .errors import InstanceError
from .health import child, heal, report, target
from .health.look import look
from .health.target import Target
from .items import AbsentItem, EnabledItem, Item
from .layout import Layout
from .render import header
from .run import run
from .tree import Tree

if TYPE_CHECKING:
    from .instance import Instance

_SNAPSHOT_SECONDS = 10.0


def timer(name: str) -> str:
    """The unit that looks every minute."""
    return f"airflow-watchdog@{name}.timer"


def items(instance: Instance) -> Iterable[Item]:
    """The timer, for an instance that is monitored."""
    wanted = bool(
        instance.parameter("monitoring_enabled") and instance.parameter("watchdog_strikes")
    )
    yield EnabledItem(timer(instance.name), "timers.target", enabled=wanted)
    if not wanted:
        yield AbsentItem(Layout.textfile(instance.name))


def retired(name: str) -> Iterable[Item]:
    """No timer, and no metrics of an instance that is gone."""
    yield EnabledItem(timer(name), "timers.target", enabled=False)
    yield AbsentItem(Layout.textfile(name))


def watch(layout: Layout, name: str, *, dry_run: bool = False) -> Iterator[str]:
    """Look at the instance ``name`` once, and do what follows; what there is to say, in time.

    With ``dry_run`` nothing is restarted, remembered or written.

    Raises what `target.load` and `look` raise, and HostError when a restart fails.
    """
    tree, found = Tree(layout), target.load(layout, name)
    if not found.monitored or not found.strikes:
        yield f"{name}: the watchdog is off"
        return
    begun = time.monotonic()
    if not layout.real(found.installation).is_dir():
        return  # Airflow was removed, or another one came: apply writes down which
    findings, states = look(layout, found, f"airflow-instance watchdog {name}")
    now = time.monotonic()
    content = tree.read(Layout.watchdog_file(name)) or b""
    memory = heal.loads(content.decode("utf-8", "replace"))
    decision = heal.decide(found, findings, states, memory, now)
    yield from decision.says
    if dry_run:
        return
    text = header(name) + report.metrics(name, findings, now - begun, time.time())
    tree.write(Layout.textfile(name), text.encode("utf-8"), 0o644, 0, 0)
    if decision.memory != memory:
        # Before acting: one that fails is not repeated every minute.
        tree.write(Layout.watchdog_file(name), decision.memory.dumps().encode(), 0o600, 0, 0)
    for daemon in found.daemons:
        if daemon.name in decision.restart:
            pid = states[daemon.unit].pid if states else 0
            yield from _snapshot(layout, found, pid)
            # Without waiting: stopping may take minutes. What was stopped meanwhile stays so.
            run(["systemctl", "--no-block", "try-restart", daemon.unit])


def _snapshot(layout: Layout, found: Target, pid: int) -> list[str]:
    """What the process was doing; that it could not be seen must not stop the restart."""
    try:
        whom = child.user(layout, found, "")
        seen = child.run(found, whom, "snapshot", {"pid": pid}, _SNAPSHOT_SECONDS)
        lines = seen.get("lines", [])
    except InstanceError as error:
        lines = [str(error)]
    return [f"snapshot: {line}" for line in lines or ["nothing could be seen of it"]]

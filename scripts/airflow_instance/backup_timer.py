"""The nightly backup of an instance: its timer, and what its service needs to know."""

from __future__ import annotations

from collections.abc import Iterable

from .instance import Instance
from .items import DROP_IN, AbsentItem, EnabledItem, FileItem, Item
from .layout import Layout
from .render import header

_DAEMON = "backup"


def timer(name: str) -> str:
    return f"airflow-{_DAEMON}@{name}.timer"


def items(instance: Instance) -> Iterable[Item]:
    """The timer, on or off; and the home, beside whose SQLite file the copy is made."""
    text = f"{header(instance.name)}[Service]\nReadWritePaths=-{instance.home}\n"
    path = Layout.drop_in(_DAEMON, instance.name)
    yield FileItem(path, text.encode("utf-8"), kind=DROP_IN)
    enabled = bool(instance.parameter("backup_daily"))
    yield EnabledItem(timer(instance.name), "timers.target", enabled=enabled)


def retired(name: str) -> Iterable[Item]:
    """The same of an instance that is to be absent; the backups stay."""
    yield AbsentItem(Layout.drop_in(_DAEMON, name), kind=DROP_IN)
    yield EnabledItem(timer(name), "timers.target", enabled=False)

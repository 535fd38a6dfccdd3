"""The nightly cleaning of an instance's logs: its timer, and which folder it is about."""

from __future__ import annotations

from collections.abc import Iterable

from .errors import DeclarationError
from .instance import Instance
from .items import DROP_IN, AbsentItem, EnabledItem, FileItem, Item
from .layout import Layout
from .render.environment import drop_in

DAEMON = "clean-logs"
_PURPOSE = "base_log_folder"


def timer(name: str) -> str:
    return f"airflow-{DAEMON}@{name}.timer"


def items(instance: Instance) -> Iterable[Item]:
    """The timer, and what its service needs to know; every instance has them."""
    content = drop_in(instance).encode("utf-8")
    yield FileItem(Layout.drop_in(DAEMON, instance.name), content, kind=DROP_IN)
    yield EnabledItem(timer(instance.name), "timers.target")


def retired(name: str) -> Iterable[Item]:
    """The same of an instance that is to be absent; its logs stay."""
    yield AbsentItem(Layout.drop_in(DAEMON, name), kind=DROP_IN)
    yield EnabledItem(timer(name), "timers.target", enabled=False)


def folder(instance: Instance) -> str:
    """Where the instance's tasks log to.

    Raises DeclarationError when that is no absolute path.
    """
    found = instance.effective(_PURPOSE)
    if not found.startswith("/"):
        raise DeclarationError(
            f"{instance.name}: the log folder {found!r} is no absolute path",
            hint=f"set airflow_config.logging.{_PURPOSE} to one",
        )
    return found

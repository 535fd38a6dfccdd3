"""From an Instance to what a check needs of it: rendered by apply, read by `target`."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from urllib.parse import urlsplit

from ..errors import InstallationError
from ..instance import Instance
from ..items import AbsentItem, FileItem, Item
from ..layout import Layout, unit
from ..render import header
from ..versions import table
from .target import Target, Watched

# Airflow's own default of every threshold, and what is used for a daemon that has none.
_STALE = 30.0
_RENEWED = 3600.0


def target(instance: Instance) -> Target:
    """What is to be watched of ``instance``."""
    version = instance.installation.version
    database = table().option("database_url", version)
    assert database is not None  # every version has a database
    daemons = tuple(
        Watched(
            name=daemon.name,
            unit=unit(daemon.name, instance.name),
            job=daemon.job,
            stale=_seconds(instance.effective(daemon.threshold), _STALE) if daemon.job else 0,
            web=daemon.port == "web",
        )
        for daemon in instance.daemons
    )
    kerberos = "kerberos" in instance.conditions
    return Target(
        name=instance.name,
        monitored=bool(instance.parameter("monitoring_enabled")),
        start=str(instance.parameter("start")),
        user=instance.user,
        home=instance.home,
        logs=posixpath.normpath(instance.effective("base_log_folder")),
        python=f"{instance.installation.bin_dir}/python",
        packages=instance.installation.seen_packages,
        installation=instance.installation.metadata,
        database=database,
        web=web_url(instance) + table().health_path(version),
        hostname=instance.effective("hostname_callable") or table().hostname_callable(version),
        ccache=instance.effective("kerberos_ccache").removeprefix("FILE:") if kerberos else "",
        renewed=_seconds(instance.effective("kerberos_reinit_frequency"), _RENEWED),
        strikes=int(str(instance.parameter("watchdog_strikes"))),
        daemons=daemons,
        revisions=_revisions(instance),
    )


def items(instance: Instance) -> Iterable[Item]:
    """The file that `target.load` reads."""
    content = header(instance.name) + target(instance).dumps() + "\n"
    yield FileItem(Layout.target_file(instance.name), content.encode("utf-8"))


def retired(name: str) -> Iterable[Item]:
    """An instance that is to be absent is not watched."""
    yield AbsentItem(Layout.target_file(name))


def web_url(instance: Instance) -> str:
    """Where the web server is, from this host: scheme, address, port, and the path it is below."""
    host = instance.effective("web_host")
    if host in ("", "0.0.0.0", "*"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    if host == "::":
        host = "::1"
    host = f"[{host}]" if ":" in host else host
    scheme = "https" if instance.effective("web_ssl_cert") else "http"
    below = urlsplit(instance.effective("base_url")).path.rstrip("/")
    return f"{scheme}://{host}:{instance.effective('web_port')}{below}"


def _seconds(text: str, default: float) -> float:
    try:
        found = float(text)
    except ValueError:
        return default
    return found if found > 0 else default


def _revisions(instance: Instance) -> dict[str, tuple[str, ...]]:
    from .. import heads  # which imports what imports us

    version, conditions = instance.installation.version, instance.conditions
    try:
        return {
            row.table: tuple(sorted(heads.revisions(instance.installation, row).heads))
            for row in table().migrations_of(version, conditions)
        }
    except InstallationError:
        # It says so itself when something is done with it; the rest can be watched.
        return {}

"""What an instance wants to be on the host: from an `Instance` to items, pure.

CONTRIBUTORS is the extension point: a function from an instance to the items of
one topic. RETIRED is its counterpart for an instance that is to be absent, whose
configuration may not even be readable any more: it gets the name only.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from dataclasses import replace

from . import backup_timer, database, firewall, log_cleaning, metrics, packages, rights, watchdog
from .health import declare as health
from .instance import Instance
from .items import (
    CONFIG,
    CONNECTIONS,
    DROP_IN,
    ENVIRONMENT,
    WEB_CONFIG,
    AbsentItem,
    AccountItem,
    DirectoryItem,
    EnabledItem,
    FileItem,
    Item,
    LinkItem,
)
from .layout import (
    ALL_INSTANCES,
    CONFIG_FILE,
    CONNECTIONS_FILE,
    LAUNCHER,
    PROFILE_FILE,
    WEB_CONFIG_FILE,
    Layout,
    unit,
)
from .render import airflow_cfg, connections_yaml, environment, units, webserver_config
from .versions import table

Contributor = Callable[[Instance], Iterable[Item]]
Retirer = Callable[[str], Iterable[Item]]


def account(instance: Instance) -> Iterable[Item]:
    """The user that everything runs as."""
    yield AccountItem(
        user=instance.user,
        group=instance.group,
        home=instance.home,
        comment=f"Airflow instance {instance.name}",
        create=instance.create_user,
        origin=instance.parameters[("service_user",)].origin,
    )


def metadata(instance: Instance) -> Iterable[Item]:
    """Database and user on this host's own server."""
    item = database.item(instance)
    if item:
        yield item


def home(instance: Instance) -> Iterable[Item]:
    """AIRFLOW_HOME with its directories."""

    def directory(path: str, *, private: bool = False) -> DirectoryItem:
        return DirectoryItem(path, 0o750, instance.user, instance.group, private)

    yield directory(instance.home, private=True)
    yield directory(f"{instance.home}/bin")
    for purpose in ("dags_folder", "base_log_folder"):
        folder = posixpath.normpath(instance.effective(purpose))
        if folder.startswith(f"{instance.home}/"):
            *above, last = map(directory, _down_to(instance.home, folder))
            yield from above
            if last.path == f"{instance.home}/dags":
                hint = f"rm {last.path}, or set core.dags_folder to where it leads"
                last = replace(last, real=True, hint=hint)
            yield last
        elif purpose == "dags_folder":
            # People look for DAGs in the home, wherever they are deployed to.
            yield LinkItem(f"{instance.home}/dags", folder)


def _down_to(top: str, path: str) -> list[str]:
    """Every directory below ``top`` on the way to ``path``, ``path`` included.

    >>> _down_to("/srv/a", "/srv/a/git/dags")
    ['/srv/a/git', '/srv/a/git/dags']
    """
    found = []
    for name in path[len(top) + 1 :].split("/"):
        top = f"{top}/{name}"
        found.append(top)
    return found


def configuration(instance: Instance) -> Iterable[Item]:
    """What Airflow reads in its home."""

    def file(name: str, text: str, mode: int, kind: str) -> FileItem:
        content = text.encode("utf-8")
        return FileItem(
            f"{instance.home}/{name}", content, mode, instance.user, instance.group, kind
        )

    yield file(CONFIG_FILE, airflow_cfg.render(instance), 0o440, CONFIG)
    # Not 0444, as it was: LDAP and OAuth put passwords into it.
    yield file(WEB_CONFIG_FILE, webserver_config.render(instance), 0o440, WEB_CONFIG)
    yield file(CONNECTIONS_FILE, connections_yaml.render(instance), 0o440, CONNECTIONS)
    yield file(PROFILE_FILE, environment.profile(instance), 0o444, "")


def extra_packages(instance: Instance) -> Iterable[Item]:
    """What it has beside the installation; before the environment that names them."""
    yield packages.item(instance)


def environment_file(instance: Instance) -> Iterable[Item]:
    """The environment, which systemd reads as root and the service user as itself."""
    yield FileItem(
        Layout.environment_file(instance.name),
        environment.render(instance).encode("utf-8"),
        0o640,
        "root",
        instance.group,
        ENVIRONMENT,
    )


def launcher(instance: Instance) -> Iterable[Item]:
    """The command airflow-NAME."""
    yield LinkItem(Layout.launcher_link(instance.name), LAUNCHER)


def drop_ins(instance: Instance) -> Iterable[Item]:
    """What each unit that the instance has needs to know; nothing for the others.

    And whether all of it is started with the host.
    """
    used = {daemon.name: daemon for daemon in instance.daemons}
    for daemon in table().daemons:
        path = Layout.drop_in(daemon.name, instance.name)
        if daemon.name in used:
            text = units.daemon(instance, used[daemon.name])
            yield FileItem(path, text.encode("utf-8"), 0o644, kind=DROP_IN)
        else:
            yield AbsentItem(path, kind=DROP_IN)
    whole = units.whole(instance).encode("utf-8")
    yield FileItem(Layout.drop_in("", instance.name), whole, 0o644, kind=DROP_IN)
    start = instance.parameter("start") == "auto"
    yield EnabledItem(unit("", instance.name), ALL_INSTANCES, enabled=start, now=False)


def retired(name: str) -> Iterable[Item]:
    """What goes when an instance is to be absent; its home, keys and database stay."""
    yield AbsentItem(Layout.launcher_link(name), LAUNCHER)
    yield AbsentItem(Layout.environment_file(name))
    yield AbsentItem(Layout.former_file(name))
    for daemon in ("", *(daemon.name for daemon in table().daemons)):
        yield AbsentItem(Layout.drop_in(daemon, name), kind=DROP_IN)
    yield EnabledItem(unit("", name), ALL_INSTANCES, enabled=False, now=False)


CONTRIBUTORS: tuple[Contributor, ...] = (
    account,
    metadata,
    home,
    configuration,
    extra_packages,
    environment_file,
    launcher,
    drop_ins,
    health.items,
    metrics.items,
    backup_timer.items,
    log_cleaning.items,
    rights.items,
    firewall.items,
    watchdog.items,
)
RETIRED: tuple[Retirer, ...] = (
    retired,
    health.retired,
    metrics.retired,
    backup_timer.retired,
    log_cleaning.retired,
    rights.retired,
    firewall.retired,
    watchdog.retired,
)


def items(instance: Instance) -> list[Item]:
    """Everything the instance wants to be there, in the order it has to be made."""
    return [item for contribute in CONTRIBUTORS for item in contribute(instance)]


def retired_items(name: str) -> list[Item]:
    """Everything of an instance that is to be absent."""
    return [item for retire in RETIRED for item in retire(name)]

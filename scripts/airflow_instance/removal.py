"""What of an instance's data goes with it, when `drop` is told so; and whether it may."""

from __future__ import annotations

import argparse
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from . import asuser, database, declaration, launch, trees
from .changes import DropDatabase
from .engine import Engine
from .errors import ConflictError, HostError, InstanceError
from .instance import Instance
from .items import DatabaseItem
from .layout import Layout
from .parameters import expand, url_template
from .site import Site

_SQLITE = ("", "-journal", "-wal", "-shm")


@dataclass(frozen=True)
class Removal:
    """What is to be deleted; "" and None for what stays.

    ``keep`` are names in the home that stay there, ``sqlite`` is the file.
    """

    instance: Instance
    logs: str = ""
    sqlite: str = ""
    server: DatabaseItem | None = None
    home: str = ""
    keep: tuple[str, ...] = ()
    user: str = ""
    group: str = ""

    def describe(self) -> Iterator[str]:
        """A line for each."""
        if self.logs:
            yield f"delete the logs in {self.logs}"
        if self.sqlite:
            yield f"delete the database {self.sqlite}"
        if self.server:
            yield DropDatabase(self.server).describe()
        if self.home:
            names = [name for name in self.keep if not name.endswith(_SQLITE[1:])]
            but = f", but for {', '.join(names)}" if names else ""
            yield f"delete {self.home}{but}"
        if self.user:
            yield f"delete user {self.user}"

    @property
    def data(self) -> bool:
        """Whether anything goes that only a backup brings back."""
        return bool(self.sqlite or self.server or self.home)


def plan(site: Site, instance: Instance, args: argparse.Namespace) -> Removal:
    """What the command line asks for.

    Raises ConflictError for what is not, or may not be, the instance's alone.
    """
    home = instance.home if args.delete_home else ""
    logs = posixpath.normpath(instance.effective("base_log_folder"))
    file, server = "", None
    if args.delete_database:
        file, server = _database(instance)
    if home:
        _check_home(site, instance)
    if args.delete_user:
        _check_user(site, instance, home)
    keep: list[str] = []
    if home and not args.delete_logs and logs.startswith(f"{home}/"):
        keep.append(logs[len(home) + 1 :].partition("/")[0])
    if home and not args.delete_database and instance.database.kind == "sqlite":
        name = posixpath.basename(instance.database.sqlite_file)
        keep += [name + end for end in _SQLITE]
    if args.delete_user and keep:
        raise ConflictError(
            f"{keep[0]} in {home} would be nobody's without the user {instance.user}",
            hint="delete logs and database as well, or keep the user",
        )
    return Removal(
        instance=instance,
        logs=logs if args.delete_logs else "",
        sqlite=file,
        server=server,
        home=home,
        keep=tuple(keep),
        user=instance.user if args.delete_user else "",
        group=instance.group if args.delete_user else "",
    )


def _database(instance: Instance) -> tuple[str, DatabaseItem | None]:
    item = database.item(instance)
    if item:
        return "", item
    if instance.database.kind == "sqlite" and url_template(instance.parameters) is None:
        return instance.database.sqlite_file, None
    raise ConflictError(
        f"the database of {instance.name} is not on this host's own server",
        hint=f"its administrator can drop {instance.database.name}; leave out --delete-database",
    )


def _check_home(site: Site, instance: Instance) -> None:
    found, account = site.tree.status(instance.home), site.host.user(instance.user)
    if found is None:
        return
    if found.kind != "directory" or account is None or found.uid != account.uid:
        raise ConflictError(
            f"{instance.home} is not {instance.user}'s own directory",
            hint="leave out --delete-home, and look what it is",
        )


def _check_user(site: Site, instance: Instance, home: str) -> None:
    account = site.host.user(instance.user)
    if not home:
        raise ConflictError(
            f"{instance.home} would be nobody's without the user {instance.user}",
            hint="add --delete-home, or keep the user",
        )
    if account is not None and account.comment != f"Airflow instance {instance.name}":
        raise ConflictError(
            f"user {instance.user} was not made by airflow-instance for {instance.name}",
            hint="leave out --delete-user",
        )
    for other in declaration.listed(site.layout)[0]:
        if other == instance.name:
            continue
        try:
            leaves, _ = expand(site.load(other, secrets=False), site.facts)
        except InstanceError:
            continue
        if leaves[("service_user",)].value == instance.user:
            raise ConflictError(
                f"user {instance.user} is {other}'s, too", hint="leave out --delete-user"
            )


def check(site: Site, removal: Removal) -> None:
    """Raise ConflictError when there is something in logs or home that is not the user's."""
    name = removal.instance.name
    if removal.logs:
        trees.check(site, name, removal.logs)
    if removal.home:
        trees.check(site, name, removal.home, removal.keep)


def delete_data(site: Site, engine: Engine, removal: Removal) -> None:
    """Delete logs, database and what is in the home. There is no way back.

    Raises HostError; ConflictError when something has got in the way since `check`.
    """
    name = removal.instance.name
    if removal.logs:
        trees.empty(site, name, removal.logs)
    if removal.home:
        trees.empty(site, name, removal.home, removal.keep)
    if removal.sqlite:
        files = [removal.sqlite + end for end in _SQLITE]
        command = ["/bin/rm", "-f", "--", *files]
        done = asuser.run(site, launch.plan(site, name, command, ["airflow-instance", "drop"]))
        if done.status != 0:
            raise HostError(f"{removal.sqlite} could not be deleted: {done.last_words}")
    if removal.server:
        engine.execute([DropDatabase(removal.server)])


def delete_account(site: Site, removal: Removal) -> None:
    """Delete the empty home, and the user.

    Raises HostError.
    """
    if removal.home and not removal.keep:
        site.tree.remove_directory(removal.home)
    if removal.user and site.host.user(removal.user) is not None:
        site.host.delete_user(removal.user)
        if site.host.group(removal.group) is not None:
            site.host.delete_group(removal.group)


def declared(site: Site, name: str) -> bool:
    return site.tree.status(site.layout.seen(site.layout.instance_file(name))) is not None


def archived(layout: Layout, name: str, *, keys: bool) -> dict[str, str]:
    """The files that `drop` moves away, and what they are called there."""
    files = {
        layout.seen(layout.instance_file(name)): "instance.yaml",
        layout.seen(layout.secrets_file(name)): "secrets.yaml",
    }
    if keys:
        files[layout.seen(layout.keys_file(name))] = "keys.yaml"
    return files

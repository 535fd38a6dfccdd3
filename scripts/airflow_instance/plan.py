"""From items to changes: what of the desired state is not so yet. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from . import untold
from .changes import (
    Change,
    CreateDatabase,
    CreateGroup,
    CreateRole,
    CreateUser,
    FixDirectory,
    InstallPackages,
    MakeDirectory,
    MakeLink,
    PrunePackages,
    Remove,
    SetPassword,
    Systemctl,
    WriteFile,
)
from .errors import ConflictError, InstanceError, raise_all
from .host import Host
from .items import (
    DROP_IN,
    AbsentItem,
    AccountItem,
    DatabaseItem,
    DirectoryItem,
    EnabledItem,
    FileItem,
    GroupItem,
    Item,
    LinkItem,
    PackagesItem,
)
from .layout import Layout, unit
from .render import is_managed
from .tree import Status, Tree
from .versions import Daemon, table

_UNKNOWN = -1  # the id of an account that is yet to be created


class Planner:
    """Compares items with one host."""

    def __init__(self, tree: Tree, host: Host) -> None:
        self.tree = tree
        self.host = host

    def plan(self, items: Iterable[Item]) -> list[Change]:
        """The changes that make ``items`` true; [] when they are.

        Raises ConflictError, or Problems, for what is in the way.
        """
        changes: list[Change] = []
        problems: list[InstanceError] = []
        for item in items:
            try:
                changes += self._changes(item)
            except ConflictError as error:
                problems.append(error)
        raise_all(problems)
        return changes

    def in_order(
        self, name: str, daemons: Sequence[Daemon], changes: Sequence[Change]
    ) -> list[Change]:
        """``changes``, and behind them what systemd has to be told: only what they
        concern, only what runs."""
        kinds = untold.kinds(changes) | (untold.recall(self.tree, name) if daemons else set())
        told = [c for c in changes if isinstance(c, Systemctl)]
        # After the restart: until then, it is what daemons import from.
        last = [c for c in changes if isinstance(c, PrunePackages)]
        found: list[Change] = [c for c in changes if not isinstance(c, (Systemctl, PrunePackages))]
        if DROP_IN in kinds:
            found.append(Systemctl(("daemon-reload",)))
        # What it has no more is not left running without an owner, nor failed for ever.
        gone = {c.path for c in changes if isinstance(c, Remove)} if daemons else set()
        others = [unit(d.name, name) for d in table().daemons]
        others = [u for u in others if Layout.unit_drop_in(u) in gone]
        found += [Systemctl(("stop", u)) for u in self.host.active(others)]
        states = self.host.states(others).values()
        found += [Systemctl(("reset-failed", s.unit)) for s in states if s.active == "failed"]
        units = [unit(d.name, name) for d in daemons if kinds & d.restart_on]
        running = self.host.active(units)
        if running:
            found.append(Systemctl(("try-restart", *running)))
        return [*found, *told, *last]

    def stops(self, name: str) -> list[Change]:
        """Stopping whatever of an instance runs."""
        units = [unit("", name), *(unit(daemon.name, name) for daemon in table().daemons)]
        running = self.host.active(units)
        return [Systemctl(("stop", *running))] if running else []

    def _changes(self, item: Item) -> Iterator[Change]:
        how: dict[type, Callable[[Any], Iterator[Change]]] = {
            AccountItem: self._account,
            GroupItem: self._group,
            DatabaseItem: self._database,
            DirectoryItem: self._directory,
            FileItem: self._file,
            LinkItem: self._link,
            EnabledItem: self._enabled,
            AbsentItem: self._absent,
            PackagesItem: self._packages,
        }
        return how[type(item)](item)

    def _account(self, item: AccountItem) -> Iterator[Change]:
        user, group = self.host.user(item.user), self.host.group(item.group)
        for kind, name, found in (("user", item.user, user), ("group", item.group, group)):
            if found is None and not item.create:
                raise ConflictError(
                    f"{item.origin}: there is no {kind} {name}",
                    hint="set create_user: true, or create it first",
                )
        if user is not None and user.uid == 0 and not self.tree.layout.alternate:
            raise ConflictError(
                f"{item.origin}: {item.user} is root by another name",
                hint="give the instance a service_user of its own",
            )
        if group is None:
            yield CreateGroup(item.group)
        if user is None:
            yield CreateUser(item.user, item.group, item.home, item.comment)

    def _group(self, item: GroupItem) -> Iterator[Change]:
        # Whoever made it later would be given what it may do.
        if self.host.group(item.name) is None:
            raise ConflictError(
                f"{item.origin}: there is no group {item.name}",
                hint="create it first, or take the line away",
            )
        yield from ()

    def _directory(self, item: DirectoryItem) -> Iterator[Change]:
        found = self.tree.status(item.path)
        make = MakeDirectory(item.path, item.mode, item.owner, item.group)
        if found is None:
            yield make
        elif found.kind == "link" and not item.private and not item.real:
            return
        elif found.kind != "directory":
            what = f"a link to {found.target}" if found.kind == "link" else "there"
            raise ConflictError(f"{item.path} is {what} and no directory", hint=item.hint)
        elif item.private:
            yield from self._private(item, found)

    def _private(self, item: DirectoryItem, found: Status) -> Iterator[Change]:
        uid, gid = self._ids(item.owner, item.group)
        # Who runs this may have made it; that is root, but for an alternate root.
        if found.uid not in (0, uid, os.geteuid()):
            raise ConflictError(
                f"{item.path} belongs to user {found.uid}, not to {item.owner}",
                hint=f"chown {item.owner}:{item.group} {item.path}, if it is the instance's",
            )
        if found.uid != uid or found.gid != gid or found.mode & 0o007:
            mode = found.mode & ~0o007 if found.uid == uid else item.mode
            yield FixDirectory(item.path, mode, item.owner, item.group)

    def _file(self, item: FileItem) -> Iterator[Change]:
        found = self.tree.status(item.path)
        if found is not None and found.kind == "directory":
            raise ConflictError(f"{item.path} is a directory", hint="move it out of the way")
        old = self.tree.read(item.path) if found is not None and found.kind == "file" else None
        if old is not None and found is not None:
            same = (found.uid, found.gid) == self._ids(item.owner, item.group)
            if found.mode == item.mode and same and (item.once or old == item.content):
                return
        content = old if item.once and old is not None else item.content
        place = (item.mode, item.owner, item.group, item.kind)
        yield WriteFile(item.path, content, old, *place, item.check)

    def _link(self, item: LinkItem) -> Iterator[Change]:
        found = self.tree.status(item.path)
        if found is None:
            yield MakeLink(item.path, item.target)
        elif found.kind == "link":
            if found.target != item.target:
                yield MakeLink(item.path, item.target, old=found.target)
        elif found.kind == "directory" and self.tree.is_empty(item.path):
            yield MakeLink(item.path, item.target, over_directory=True)
        else:
            raise ConflictError(
                f"{item.path} is there and is not ours", hint="move it out of the way"
            )

    def _absent(self, item: AbsentItem) -> Iterator[Change]:
        found = self.tree.status(item.path)
        if found is None:
            return
        if item.target:
            ours = found.kind == "link" and found.target == item.target
        else:
            ours = is_managed(self.tree.read(item.path) or b"")
        if ours:
            yield Remove(item.path, item.kind)

    def _enabled(self, item: EnabledItem) -> Iterator[Change]:
        link = Layout.wanted_link(item.unit, item.wanted_by)
        template = Layout.template(item.unit)
        if item.enabled:
            yield from self._link(LinkItem(link, template))
        else:
            yield from self._absent(AbsentItem(link, template))
        if item.now and bool(self.host.active([item.unit])) is not item.enabled:
            if item.enabled and not self.host.can_start:
                return
            yield Systemctl(("start" if item.enabled else "stop", item.unit))

    def _database(self, item: DatabaseItem) -> Iterator[Change]:
        found = self.host.server(item.kind).look(item)
        if not found.role:
            yield CreateRole(item)
        elif not found.fits:
            yield SetPassword(item)
        if not found.database:
            yield CreateDatabase(item)

    def _packages(self, item: PackagesItem) -> Iterator[Change]:
        if item.key:
            found = self.tree.status(item.path)
            if found is None:
                yield InstallPackages(item)
            elif found.kind != "directory":
                raise ConflictError(f"{item.path} is no directory", hint="move it out of the way")
        gone = tuple(name for name in self.tree.names(item.directory) if name != item.key)
        if gone:
            yield PrunePackages(item, gone)

    def _ids(self, owner: str, group: str) -> tuple[int, int]:
        user, gid = self.host.user(owner), self.host.group(group)
        return (_UNKNOWN if user is None else user.uid, _UNKNOWN if gid is None else gid)

"""Doing what was planned."""

from __future__ import annotations

import contextlib
import fcntl
import os
import posixpath
import time
from collections.abc import Callable, Iterator, Sequence

from . import unpacking
from .changes import (
    Change,
    CreateDatabase,
    CreateGroup,
    CreateRole,
    CreateUser,
    DropDatabase,
    FixDirectory,
    InstallPackages,
    MakeDirectory,
    MakeLink,
    MoveHome,
    PrunePackages,
    Remove,
    SetPassword,
    Systemctl,
    WriteFile,
)
from .errors import BusyError, HostError, InstanceError
from .host import Host
from .items import DROP_IN, DatabaseItem
from .layout import Layout
from .tree import Tree

_PATIENCE = 30.0  # seconds to wait for another airflow-instance


@contextlib.contextmanager
def locked(layout: Layout, patience: float = _PATIENCE, *, name: str = "") -> Iterator[None]:
    """Be the only one at work on this host; with ``name``, on that instance's data.

    Who changes declarations and what is rendered takes the host's lock, for seconds. Who
    migrates, backs up or restores takes the instance's, which may be for hours.

    Raises BusyError when another does not finish in time.
    """
    path = layout.instance_lock(name) if name else layout.lock_file
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o600)
    except OSError as error:
        raise HostError(f"{layout.seen(path)}: {error.strerror}") from error
    end = time.monotonic() + patience
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= end:
                    raise BusyError(
                        f"another airflow-instance is at work{f' on {name}' if name else ''}",
                        hint="wait until it has finished",
                    ) from error
                time.sleep(0.1)
        yield
    finally:
        os.close(fd)


class Engine:
    """Carries changes out, and remembers how to take them back."""

    def __init__(self, tree: Tree, host: Host) -> None:
        self.tree = tree
        self.host = host
        self._undo: list[Callable[[], object]] = []

    def execute(
        self, changes: Sequence[Change], told: Callable[[str], None] = lambda line: None
    ) -> None:
        """Do each change; ``told`` hears of each one that is done.

        Raises what the failing change raises; those before it stay done.
        """
        for change in changes:
            self._do(change)
            told(change.describe())

    def take_back(self) -> list[str]:
        """Undo what was done, the last first; what could not be undone."""
        failed = []
        while self._undo:
            try:
                self._undo.pop()()
            except InstanceError as error:
                failed.append(str(error))
        return failed

    def _do(self, change: Change) -> None:
        if isinstance(change, (CreateGroup, CreateUser)):
            self._account(change)
        elif isinstance(change, MakeDirectory):
            # Each instance of a run plans the directories that all of them share.
            found = self.tree.status(change.path)
            if found is not None and found.kind == "directory":
                return
            uid, gid = self._ids(change.owner, change.group)
            self.tree.make_directory(change.path, change.mode, uid, gid)
            self._undo.append(lambda: self.tree.remove_directory(change.path))
        elif isinstance(change, FixDirectory):
            self._fix(change)
        elif isinstance(change, MoveHome):
            self._move(change)
        elif isinstance(change, WriteFile):
            self._write(change)
        elif isinstance(change, MakeLink):
            self._link(change)
        elif isinstance(change, Remove):
            self._remove(change)
        elif isinstance(change, Systemctl):
            self.host.systemctl(*change.arguments)
            if change.arguments[0] == "start":
                self._undo.append(lambda: self.host.systemctl("stop", *change.arguments[1:]))
        elif isinstance(change, (CreateRole, SetPassword, CreateDatabase, DropDatabase)):
            self._database(change, change.item)
        elif isinstance(change, (InstallPackages, PrunePackages)):
            # Not taken back: nothing names it then, and the next apply uses or deletes it.
            do = unpacking.install if isinstance(change, InstallPackages) else unpacking.prune
            do(self.tree.layout, self.host, change.item)

    def _account(self, change: CreateGroup | CreateUser) -> None:
        if isinstance(change, CreateGroup):
            self.host.create_group(change.name)
            self._undo.append(lambda: self.host.delete_group(change.name))
        else:
            self.host.create_user(change.name, change.group, change.home, change.comment)
            self._undo.append(lambda: self.host.delete_user(change.name))

    def _database(self, change: Change, item: DatabaseItem) -> None:
        server = self.host.server(item.kind)
        if isinstance(change, CreateRole):
            server.create_role(item)
            self._undo.append(lambda: server.drop_role(item))
        elif isinstance(change, SetPassword):
            kept = server.set_password(item)
            self._undo.append(lambda: server.put_back_password(item, kept))
            if server.look(item).database:
                server.check(item)
        elif isinstance(change, CreateDatabase):
            server.create_database(item)
            self._undo.append(lambda: server.drop_database(item))
            server.check(item)
        elif isinstance(change, DropDatabase):
            found = server.look(item)
            if found.database:
                server.drop_database(item)
            if found.role:
                server.drop_role(item)

    def _fix(self, change: FixDirectory) -> None:
        before = self.tree.status(change.path)
        uid, gid = self._ids(change.owner, change.group)
        self.tree.fix_directory(change.path, change.mode, uid, gid)
        if before:
            self._undo.append(
                lambda: self.tree.fix_directory(change.path, before.mode, before.uid, before.gid)
            )

    def _move(self, change: MoveHome) -> None:
        account = self.host.user(change.user)
        self.tree.move_directory(change.path, change.target)
        self._undo.append(lambda: self.tree.move_directory(change.target, change.path))
        if account is not None and account.home == change.path:
            self.host.set_home(change.user, change.target)
            self._undo.append(lambda: self.host.set_home(change.user, change.path))

    def _write(self, change: WriteFile) -> None:
        before, old = self.tree.status(change.path), change.old
        uid, gid = self._ids(change.owner, change.group)
        fault = self.host.check(change.check, change.content) if change.check else ""
        if fault:
            raise HostError(f"{change.path}: {change.check[0]} refuses it: {fault}")
        self.tree.write(change.path, change.content, change.mode, uid, gid)
        if old is None or before is None:
            self._undo.append(lambda: self._unlink(change.path, change.kind))
        else:
            self._undo.append(
                lambda: self.tree.write(change.path, old, before.mode, before.uid, before.gid)
            )

    def _link(self, change: MakeLink) -> None:
        if change.over_directory and not self.tree.remove_directory(change.path):
            raise HostError(f"{change.path} is not empty any more", hint="apply again")
        self.tree.link(change.path, change.target)
        if change.old:
            self._undo.append(lambda: self.tree.link(change.path, change.old))
        else:
            self._undo.append(lambda: self.tree.remove(change.path))

    def _remove(self, change: Remove) -> None:
        before, old = self.tree.status(change.path), self.tree.read(change.path)
        self._unlink(change.path, change.kind)
        if before and before.kind == "link":
            self._undo.append(lambda: self.tree.link(change.path, before.target))
        elif before and old is not None:
            self._undo.append(
                lambda: self.tree.write(change.path, old, before.mode, before.uid, before.gid)
            )

    def _unlink(self, path: str, kind: str) -> None:
        self.tree.remove(path)
        if kind == DROP_IN:
            # Its directory was made for it; with an administrator's own in it, it stays.
            self.tree.remove_directory(posixpath.dirname(path))

    def _ids(self, owner: str, group: str) -> tuple[int, int]:
        user, gid = self.host.user(owner), self.host.group(group)
        if user is None or gid is None:
            missing = f"user {owner}" if user is None else f"group {group}"
            raise HostError(f"there is no {missing}", hint="apply again")
        return user.uid, gid

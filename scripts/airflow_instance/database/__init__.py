"""The database servers of this host: what an instance needs there, and how to make it.

A server is asked and told through its own client, as its administrator, over its
socket. What has a server somewhere else is that server's administrator's business:
`advice` says what has to be run there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ..errors import ConflictError
from ..instance import Instance
from ..items import DatabaseItem
from ..parameters import url_template


@dataclass(frozen=True)
class Found:
    """What a server has of an instance's. ``fits``: the user gets in with its password."""

    role: bool
    database: bool
    fits: bool


class Server(Protocol):
    """A server of one kind on this host.

    Every method raises HostError when the server is not there or refuses, and
    ConflictError when what it has is not an instance's.
    """

    def look(self, item: DatabaseItem) -> Found:
        """What is there of ``item``. Changes nothing."""

    def create_role(self, item: DatabaseItem) -> None:
        """Make the user, with its password."""

    def drop_role(self, item: DatabaseItem) -> None:
        """Remove the user."""

    def set_password(self, item: DatabaseItem) -> str:
        """Set the user's password; what the server had kept of the old one."""

    def put_back_password(self, item: DatabaseItem, kept: str) -> None:
        """Undo `set_password`."""

    def create_database(self, item: DatabaseItem) -> None:
        """Make the database, which the user owns and nobody else may use."""

    def drop_database(self, item: DatabaseItem) -> None:
        """Remove the database with all that is in it."""

    def check(self, item: DatabaseItem) -> None:
        """Raise HostError when the user does not get into the database with its password."""


def item(instance: Instance) -> DatabaseItem | None:
    """What ``instance`` wants of this host's server; None when it uses none of those."""
    found = instance.database
    if found.kind == "sqlite" or not found.local or url_template(instance.parameters):
        return None
    return DatabaseItem(
        kind=found.kind,
        name=found.name,
        user=found.user,
        password=found.password,
        host=found.host,
        port=found.port,
        account=instance.user,
        origin=instance.parameters[("db",)].origin,
    )


def of(kind: str) -> Server:
    """This host's server of ``kind``, postgresql or mysql."""
    from .mysql import MySQL
    from .postgresql import PostgreSQL

    return PostgreSQL() if kind == "postgresql" else MySQL()


def orphan(item: DatabaseItem) -> ConflictError:
    """What to say of a database whose user is not there: it may be anybody's."""
    return ConflictError(
        f"{item.origin}: there is a database {item.name} already, but no user {item.user}",
        hint="give the instance another db_name, or, if it is the instance's, run as the "
        f"server's administrator: {_ADOPT[item.kind].format(name=item.name, user=item.user)}",
    )


def advice(instance: Instance) -> str:
    """What the administrator of a server elsewhere has to run, the password left out."""
    wanted = instance.database
    return _ADVICE[wanted.kind].format(name=wanted.name, user=wanted.user)


_ADOPT: Mapping[str, str] = {
    "postgresql": 'CREATE ROLE "{user}" LOGIN; ALTER DATABASE "{name}" OWNER TO "{user}";',
    "mysql": "CREATE USER `{user}`@localhost; GRANT ALL ON `{name}`.* TO `{user}`@localhost;",
}
_ADVICE: Mapping[str, str] = {
    "postgresql": "CREATE ROLE \"{user}\" LOGIN PASSWORD '…'; "
    'CREATE DATABASE "{name}" OWNER "{user}" ENCODING \'UTF8\';',
    "mysql": "CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin; "
    "CREATE USER `{user}` IDENTIFIED BY '…'; GRANT ALL ON `{name}`.* TO `{user}`;",
}

"""What is to be on the host: the desired state, one item per thing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Union

# What a rendered file is to the daemons, as in the table's restart_on; "" is nothing
# to them.
CONFIG = "config"
WEB_CONFIG = "web_config"
CONNECTIONS = "connections"
ENVIRONMENT = "environment"
DROP_IN = "drop_in"


@dataclass(frozen=True)
class AccountItem:
    """A user and its group; made when they are missing and ``create`` says so."""

    user: str
    group: str
    home: str
    comment: str
    create: bool
    origin: str


@dataclass(frozen=True)
class GroupItem:
    """A group of the system that has to be there already; it is somebody else's."""

    name: str
    origin: str


@dataclass(frozen=True)
class DirectoryItem:
    """A directory. One that is there already keeps its mode and owner.

    ``private`` takes it over instead when it is root's, and shuts others out; one
    that is somebody else's is a conflict. So is a link in place of a ``real`` one,
    with ``hint`` as the remedy; elsewhere a link is somebody's choice and stays.
    """

    path: str
    mode: int
    owner: str
    group: str
    private: bool = False
    real: bool = False
    hint: str = "move it out of the way"


@dataclass(frozen=True)
class FileItem:
    """A file with this content, mode and owner. ``once``: an existing one stays.

    ``check`` is a command that reads it on standard input, and has to accept it
    before it is put in place; on a host without that command, nobody checks.
    """

    path: str
    content: bytes = field(repr=False)
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    kind: str = ""
    once: bool = False
    check: tuple[str, ...] = ()


@dataclass(frozen=True)
class LinkItem:
    """A symbolic link."""

    path: str
    target: str


@dataclass(frozen=True)
class AbsentItem:
    """Nothing: what we rendered there goes, what someone else put there stays.

    Ours is a file with our header, or a link to ``target``.
    """

    path: str
    target: str = ""
    kind: str = ""


@dataclass(frozen=True)
class EnabledItem:
    """A unit that ``wanted_by``, a target or a service, brings up; or, not ``enabled``, no more.

    ``now``: it is started at once, too, or stopped. For timers; a daemon is started
    by people, or at boot.
    """

    unit: str
    wanted_by: str
    enabled: bool = True
    now: bool = True


@dataclass(frozen=True)
class DatabaseItem:
    """A database on this host's own server, and the user who owns it.

    ``kind`` is postgresql or mysql; ``host`` may be the path of a socket; ``account``
    is the system's user who connects.
    """

    kind: str
    name: str
    user: str
    password: str = field(repr=False)
    host: str
    port: int | None
    account: str
    origin: str


@dataclass(frozen=True)
class PackagesItem:
    """An instance's extra packages, unpacked in ``directory``/``key`` and nothing beside.

    ``key`` "" is for none. ``lock`` is a requirements file of which ``names`` says what is
    in it, ``wheels`` a directory; ``user``, with that ``home``, unpacks them with the Python
    of ``prefix``.
    """

    directory: str
    key: str
    lock: str = field(repr=False)
    names: tuple[str, ...]
    wheels: str
    user: str
    home: str
    prefix: str

    @property
    def path(self) -> str:
        return f"{self.directory}/{self.key}"


Item = Union[
    AccountItem,
    GroupItem,
    DirectoryItem,
    FileItem,
    LinkItem,
    AbsentItem,
    EnabledItem,
    DatabaseItem,
    PackagesItem,
]

"""The URL of an instance's database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

_SCHEMES = {"postgresql": "postgresql+psycopg2", "mysql": "mysql+mysqldb"}
# MariaDB's utf8 has three bytes; a name of a task may need four.
_OPTIONS: dict[str, dict[str, str]] = {"mysql": {"charset": "utf8mb4"}}
# The parameter by which each driver takes the path of a socket.
_SOCKET = {"postgresql": "host", "mysql": "unix_socket"}
LOCAL = frozenset(["localhost", "127.0.0.1", "::1"])


def encode(value: str) -> str:
    """``value`` as a part of a URL: @ / : % and all else that means something there."""
    return quote(value, safe="")


@dataclass(frozen=True)
class Database:
    """Where the metadata is. ``host`` may be the path of a socket."""

    kind: str
    home: str
    name: str
    user: str
    password: str = field(default="", repr=False)
    host: str = "localhost"
    port: int | None = None
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def local(self) -> bool:
        """Whether the server is this host's own."""
        return self.host.startswith("/") or self.host in LOCAL

    @property
    def sqlite_file(self) -> str:
        return f"{self.home}/airflow.db"

    def url(self) -> str:
        """The SQLAlchemy URL."""
        if self.kind == "sqlite":
            # Not a URL path to SQLAlchemy: nothing in it is decoded.
            return f"sqlite:///{self.sqlite_file}"
        options = dict(_OPTIONS.get(self.kind, {}))
        place = ""
        if self.host.startswith("/"):
            options[_SOCKET[self.kind]] = self.host
        else:
            place = f"[{self.host}]" if ":" in self.host else self.host
            place += f":{self.port}" if self.port else ""
        options.update({key: _word(value) for key, value in self.options.items()})
        login = encode(self.user) + (f":{encode(self.password)}" if self.password else "")
        query = f"?{urlencode(options, quote_via=quote)}" if options else ""
        return f"{_SCHEMES[self.kind]}://{login}@{place}/{encode(self.name)}{query}"


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

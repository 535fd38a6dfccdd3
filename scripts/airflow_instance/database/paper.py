"""What stands for a database server below an alternate root: a file of names."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import HostError
from ..items import DatabaseItem
from . import Found, orphan


@dataclass(frozen=True)
class PaperServer:
    """The part of the file that is about servers of ``kind``."""

    path: Path
    kind: str

    def look(self, item: DatabaseItem) -> Found:
        known = self._load()
        role, database = item.user in known["roles"], item.name in known["databases"]
        if database and not role:
            raise orphan(item)
        fits = role and known["roles"][item.user] == _digest(item)
        return Found(role, database, fits)

    def create_role(self, item: DatabaseItem) -> None:
        self._change("roles", item.user, _digest(item))

    def drop_role(self, item: DatabaseItem) -> None:
        self._change("roles", item.user, None)

    def set_password(self, item: DatabaseItem) -> str:
        kept = str(self._load()["roles"][item.user])
        self.create_role(item)
        return kept

    def put_back_password(self, item: DatabaseItem, kept: str) -> None:
        self._change("roles", item.user, kept)

    def create_database(self, item: DatabaseItem) -> None:
        self._change("databases", item.name, item.user)

    def drop_database(self, item: DatabaseItem) -> None:
        self._change("databases", item.name, None)

    def check(self, item: DatabaseItem) -> None:
        if not self.look(item).fits:
            raise HostError(f"{item.user} does not get in")

    def _load(self) -> dict[str, Any]:
        known: dict[str, Any] = {}
        if self.path.exists():
            known = json.loads(self.path.read_text("utf-8"))
        found: dict[str, Any] = known.get(self.kind, {"roles": {}, "databases": {}})
        return found

    def _change(self, part: str, name: str, value: str | None) -> None:
        known = json.loads(self.path.read_text("utf-8")) if self.path.exists() else {}
        mine = known.setdefault(self.kind, {"roles": {}, "databases": {}})
        if value is None:
            del mine[part][name]
        else:
            mine[part][name] = value
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(known), encoding="utf-8")


def _digest(item: DatabaseItem) -> str:
    return hashlib.sha256(item.password.encode()).hexdigest()

"""Encrypts what is in an instance's database with another fernet key, or looks whether it is.

Runs on the installation's Python as the service user. Airflow's own command is not
used: with SQLAlchemy 2 it never ends, and with 1.4 some versions page through rows
without an order, which may leave some out. Here all is one transaction.

Reads a request from standard input: {"section", "key", "timeout", "keys", "columns":
[[table, value, flag]], "write"}; keys are the newest first. Prints {"rows", "changed",
"unreadable"} or {"unreachable": text}: how many values are encrypted, how many of them
were not with the newest key (and are now, with "write"), and what no key can read.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import sys
from typing import Any

from cryptography.fernet import (  # type: ignore[import-not-found]
    Fernet,
    InvalidToken,
    MultiFernet,
)

# Python is isolated (-I): what is beside this script is not found by itself.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from ask_database import clean, connect, no_such_table, url_of  # type: ignore

# What people know a row by.
_NAMES = {"connection": "conn_id", "variable": "key"}
# What may stand in SQL as it is; nothing else is a fernet token.
_TOKEN = re.compile(r"[A-Za-z0-9_=-]+")


class Values:
    """All encrypted values of a database."""

    def __init__(self, connection: Any, keys: list[str]) -> None:
        self.connection = connection
        self.newest = Fernet(keys[0])
        self.any = MultiFernet([Fernet(key) for key in keys])
        # Reserved words among the names: trigger, key.
        self.quote = "`" if type(connection).__module__.startswith("MySQLdb") else '"'
        self.rows = 0
        self.updates: list[str] = []
        self.unreadable: list[str] = []

    def look(self, table: str, value: str, flag: str) -> None:
        """Go through a column. A table that is not there yet has nothing in it."""
        cursor = self.connection.cursor()
        try:
            cursor.execute(f"SELECT * FROM {self.name(table)}")  # noqa: S608 - names of our own
        except Exception as error:
            if not no_such_table(error):
                raise
            self.connection.rollback()  # until then PostgreSQL answers nothing else
            return
        names = [column[0] for column in cursor.description]
        found = [dict(zip(names, row)) for row in cursor.fetchall()]
        cursor.close()
        for row in found:
            token = row[value]
            # An upgrade may have left JSON, as text or as what the driver makes of it.
            encrypted = row[flag] if flag else not str(token).startswith("{")
            if not token or not encrypted or not isinstance(token, str):
                continue
            self.rows += 1
            new = self.renewed(token, f"{table} {row.get(_NAMES.get(table, 'id'))}")
            if new:
                self.updates.append(self.update(table, value, int(row["id"]), token, new))

    def renewed(self, token: str, what: str) -> str:
        """``token`` for the newest key; "" when it is already, or when no key can read it."""
        try:
            self.newest.decrypt(token.encode())
        except InvalidToken:
            pass
        else:
            return ""
        try:
            return str(self.any.rotate(token.encode()).decode())
        except InvalidToken:
            if what not in self.unreadable:
                self.unreadable.append(what)
            return ""

    def update(self, table: str, value: str, number: int, old: str, new: str) -> str:
        """The statement that replaces ``old``, unless somebody has done so meanwhile."""
        assert _TOKEN.fullmatch(old)
        assert _TOKEN.fullmatch(new)
        column = self.name(value)
        return (
            f"UPDATE {self.name(table)} SET {column} = '{new}' "  # noqa: S608 - checked above
            f"WHERE id = {number} AND {column} = '{old}'"
        )

    def write(self) -> None:
        """Make the updates, all or none."""
        cursor = self.connection.cursor()
        for statement in self.updates:
            cursor.execute(statement)
        cursor.close()
        self.connection.commit()

    def name(self, text: str) -> str:
        return f"{self.quote}{text}{self.quote}"


def writable(url: str, timeout: float) -> Any:
    """A connection that may write, where `connect` gives one that only reads."""
    if url.startswith("sqlite:///"):
        path = url[len("sqlite:///") :].partition("?")[0]
        return sqlite3.connect(path, timeout=timeout)
    connection = connect(url, timeout)
    module = type(connection).__module__
    if module.startswith("psycopg2"):
        connection.set_session(readonly=False)
    elif module.startswith("MySQLdb"):
        cursor = connection.cursor()
        cursor.execute("SET SESSION TRANSACTION READ WRITE")
        cursor.close()
    return connection


def main() -> None:
    request = json.load(sys.stdin)
    write = bool(request["write"])
    url = url_of(request["section"], request["key"])
    try:
        connection = (writable if write else connect)(url, request["timeout"])
    except Exception as error:
        print(json.dumps({"unreachable": clean(error, url)}))
        return
    values = Values(connection, request["keys"])
    try:
        for table, value, flag in request["columns"]:
            values.look(table, value, flag)
        if write:
            values.write()
    except Exception as error:
        # Whoever reads the journal must not find a password there.
        sys.exit(f"{type(error).__name__}: {clean(error, url)}")
    finally:
        connection.close()
    answer = {
        "rows": values.rows,
        "changed": len(values.updates),
        "unreadable": values.unreadable,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()

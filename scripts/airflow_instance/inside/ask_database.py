"""Asks an instance's database, without Airflow.

Runs on the installation's Python as the service user: the drivers are there, and
so is the right to read airflow.cfg, where the URL is. Reads a request from
standard input, {"options": [[section, key]], "timeout", "queries": {name: SQL}}, and prints
{"rows": {name: [[…]]}, "errors": {name: text}, "missing": [names of queries whose
table is not there]}; or {"unreachable": text}. Nothing is written to the database,
and no message has the URL in it.
"""

from __future__ import annotations

import configparser
import contextlib
import importlib
import json
import os
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit


def url_of(section: str, key: str) -> str:
    """The URL as Airflow finds it: from the environment, else from airflow.cfg."""
    home = os.environ["AIRFLOW_HOME"]
    text = os.environ.get(f"AIRFLOW__{section.upper()}__{key.upper()}")
    if text is None:
        parser = configparser.ConfigParser(interpolation=None)
        with open(f"{home}/airflow.cfg", encoding="utf-8") as file:
            parser.read_file(file)
        text = parser.get(section, key).replace("%%", "%")
    return text


def first_url(options: Sequence[Sequence[str]]) -> str:
    """The URL from the first of ``options`` that has one.

    Another Airflow may be installed than airflow.cfg was rendered for.
    """
    for section, key in options[:-1]:
        with contextlib.suppress(configparser.Error):
            return url_of(section, key)
    return url_of(*options[-1])


def connect(url: str, timeout: float) -> Any:
    """A connection of the Python database API.

    The drivers that we render URLs for are used directly: SQLAlchemy, which knows all
    others, takes longer to import than the question takes to answer.
    """
    if url.startswith("sqlite:///"):
        path = url[len("sqlite:///") :].partition("?")[0]
        if not os.path.lexists(path) and os.path.isdir(os.path.dirname(path)):
            # To SQLite a file that is not there yet is an empty database.
            return sqlite3.connect(":memory:")
        return sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=timeout)
    parts = urlsplit(url)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    login: dict[str, Any] = {
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "host": unquote(parts.hostname or "") or options.pop("host", ""),
        "port": parts.port,
    }
    login = {name: value for name, value in login.items() if value}
    name = unquote(parts.path[1:])
    if parts.scheme in ("postgresql", "postgresql+psycopg2"):
        driver = importlib.import_module("psycopg2")
        options.setdefault("connect_timeout", str(max(2, int(timeout))))
        connection = driver.connect(dbname=name, **{**options, **login})
        connection.set_session(readonly=True)
        return connection
    if parts.scheme in ("mysql", "mysql+mysqldb") and set(options) <= {
        "charset",
        "unix_socket",
        "ssl_ca",
    }:
        driver = importlib.import_module("MySQLdb")
        if "ssl_ca" in options:
            options["ssl"] = {"ca": options.pop("ssl_ca")}
        options["connect_timeout"] = max(2, int(timeout))
        connection = driver.connect(database=name, **options, **login)
        cursor = connection.cursor()
        cursor.execute("SET SESSION TRANSACTION READ ONLY")
        cursor.close()
        return connection
    return importlib.import_module("sqlalchemy").create_engine(url).raw_connection()


def clean(error: Exception, url: str) -> str:
    """The first line of an error, the password taken out."""
    parts = urlsplit(url)
    # MySQL's errors are pairs of a number and a text.
    text = str(error.args[1] if len(error.args) == 2 else error)
    text = " ".join(text.strip().partition("\n")[0].split()) or type(error).__name__
    for secret in (url, parts.password or "", unquote(parts.password or "")):
        if secret:
            text = text.replace(secret, "***")
    return text


def no_such_table(error: Exception) -> bool:
    """Whether a query failed for want of its table, in whatever language the server says it."""
    number = error.args[0] if error.args else None
    return (
        getattr(error, "pgcode", None) == "42P01"
        or number == 1146
        or (isinstance(error, sqlite3.OperationalError) and "no such table" in str(error))
    )


def ask(connection: Any, url: str, queries: dict[str, str]) -> dict[str, Any]:
    """What ``connection``, to ``url``, answers to each of ``queries``."""
    rows: dict[str, list[list[object]]] = {}
    errors: dict[str, str] = {}
    missing: list[str] = []
    for name, query in queries.items():
        cursor = connection.cursor()
        try:
            cursor.execute(query)
            rows[name] = [list(row) for row in cursor.fetchall()]
        except Exception as error:
            errors[name] = clean(error, url)
            if no_such_table(error):
                missing.append(name)
            connection.rollback()
        finally:
            cursor.close()
    return {"rows": rows, "errors": errors, "missing": missing}


def main() -> None:
    request = json.load(sys.stdin)
    url = first_url(request["options"])
    try:
        connection = connect(url, request["timeout"])
    except Exception as error:
        print(json.dumps({"unreachable": clean(error, url)}))
        return
    answer = ask(connection, url, request["queries"])
    connection.close()
    print(json.dumps(answer, default=str))


if __name__ == "__main__":
    main()

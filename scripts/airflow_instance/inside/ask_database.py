"""Asks an instance's database, without Airflow.

Runs on the installation's Python as the service user: the drivers are there, and
so is the right to read airflow.cfg, where the URL is. Reads a request from
standard input, {"section", "key", "timeout", "queries": {name: SQL}}, and prints
{"rows": {name: [[…]]}, "errors": {name: text}}; or {"unreachable": text}. Nothing is
written to the database, and no message has the URL in it.
"""

from __future__ import annotations

import configparser
import importlib
import json
import os
import sqlite3
import sys
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from urllib.request import pathname2url


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


def connect(url: str, timeout: float) -> Any:
    """A connection of the Python database API.

    The drivers that we render URLs for are used directly: SQLAlchemy, which knows all
    others, takes longer to import than the question takes to answer.
    """
    if url.startswith("sqlite:///"):
        path = url[len("sqlite:///") :].partition("?")[0]
        return sqlite3.connect(f"file:{pathname2url(path)}?mode=ro", uri=True, timeout=timeout)
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
        return driver.connect(database=name, **options, **login)
    return importlib.import_module("sqlalchemy").create_engine(url).raw_connection()


def clean(error: Exception, url: str) -> str:
    """The first line of an error, the password taken out."""
    parts = urlsplit(url)
    text = " ".join(str(error).split("\n")[0].split()) or type(error).__name__
    for secret in (url, parts.password or "", unquote(parts.password or "")):
        if secret:
            text = text.replace(secret, "***")
    return text


def main() -> None:
    request = json.load(sys.stdin)
    url = url_of(request["section"], request["key"])
    try:
        connection = connect(url, request["timeout"])
    except Exception as error:
        print(json.dumps({"unreachable": clean(error, url)}))
        return
    rows: dict[str, list[list[object]]] = {}
    errors: dict[str, str] = {}
    for name, query in request["queries"].items():
        cursor = connection.cursor()
        try:
            cursor.execute(query)
            rows[name] = [list(row) for row in cursor.fetchall()]
        except Exception as error:
            errors[name] = clean(error, url)
            connection.rollback()
        finally:
            cursor.close()
    connection.close()
    print(json.dumps({"rows": rows, "errors": errors}, default=str))


main()

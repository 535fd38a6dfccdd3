"""Print what is encrypted in a database as JSON: is it so, and what does it say.

``treasures.py AIRFLOW_CFG``, on the package's own Python, with the fernet key that is in
that file: past Airflow, which could not say whether a value had been encrypted at all.
"""

from __future__ import annotations

import configparser
import json
import sys

import sqlalchemy  # type: ignore[import-not-found,unused-ignore]
from cryptography.fernet import Fernet  # type: ignore[import-not-found,unused-ignore]


def main() -> None:
    """Read a password and a variable."""
    config = configparser.ConfigParser()
    with open(sys.argv[1], encoding="utf-8") as file:
        config.read_file(file)
    option = "sql_alchemy_conn"
    section = next(name for name in ("database", "core") if config.has_option(name, option))
    key = Fernet(config.get("core", "fernet_key").encode())
    found: dict[str, tuple[bool, str]] = {}
    queries = (
        "select conn_id, is_encrypted, password from connection",
        "select key, is_encrypted, val from variable",
    )
    engine = sqlalchemy.create_engine(config.get(section, option))
    with engine.connect() as connection:
        for query in queries:
            for name, encrypted, text in connection.execute(sqlalchemy.text(query)):
                plain = key.decrypt(text.encode()).decode() if encrypted else str(text)
                found[str(name)] = (bool(encrypted), plain)
    print(json.dumps(found))


if __name__ == "__main__":
    main()

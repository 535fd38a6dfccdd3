"""Run SQL on the database that an airflow.cfg names; print the rows as JSON.

sql.py CONFIG STATEMENT
"""

from __future__ import annotations

import configparser
import json
import sys

from sqlalchemy import create_engine  # type: ignore[import-not-found]


def main() -> None:
    path, statement = sys.argv[1:]
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(path, encoding="utf-8")
    section = "database" if parser.has_option("database", "sql_alchemy_conn") else "core"
    url = parser.get(section, "sql_alchemy_conn").replace("%%", "%")
    connection = create_engine(url).raw_connection()
    cursor = connection.cursor()
    cursor.execute(statement)
    rows = [list(row) for row in cursor.fetchall()] if cursor.description else []
    connection.commit()
    connection.close()
    print(json.dumps(rows, default=str))


if __name__ == "__main__":
    main()

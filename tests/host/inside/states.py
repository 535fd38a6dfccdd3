"""Print what a database knows of a DAG as JSON: is it there, its runs, its tasks.

``states.py DATABASE DAG``, on the package's own Python. The command line and the
REST API could tell the same, but only by starting all of Airflow, and differently
in every version. DATABASE is a URL, or an airflow.cfg, whose URL has a password
that must not be in a command line.
"""

from __future__ import annotations

import configparser
import json
import sys

import sqlalchemy  # type: ignore[import-not-found,unused-ignore]

OPTION = "sql_alchemy_conn"


def configured(path: str) -> str:
    """The URL in an airflow.cfg; its section was another before Airflow 2.3."""
    config = configparser.ConfigParser()
    with open(path, encoding="utf-8") as file:
        config.read_file(file)
    sections = (name for name in ("database", "core") if config.has_option(name, OPTION))
    return config.get(next(sections), OPTION)


def main() -> None:
    """Ask the three tables."""
    database, dag = sys.argv[1:]
    engine = sqlalchemy.create_engine(configured(database) if database[0] == "/" else database)
    with engine.connect() as connection:

        def ask(query: str) -> dict[str, str]:
            rows = connection.execute(sqlalchemy.text(query), {"dag": dag})
            return {str(key): str(value) for key, value in rows}

        known = ask("select dag_id, fileloc from dag where dag_id = :dag")
        runs = ask("select run_id, state from dag_run where dag_id = :dag")
        tasks = ask("select task_id, state from task_instance where dag_id = :dag")
    print(json.dumps({"known": bool(known), "runs": runs, "tasks": tasks}))


if __name__ == "__main__":
    main()

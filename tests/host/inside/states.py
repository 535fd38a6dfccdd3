"""Print what a database knows of a DAG as JSON: is it there, its runs, its tasks.

``states.py DATABASE-URL DAG``, on the package's own Python. The command line
and the REST API could tell the same, but only by starting all of Airflow, and
differently in every version.
"""

from __future__ import annotations

import json
import sys

import sqlalchemy  # type: ignore[import-not-found,unused-ignore]


def main() -> None:
    """Ask the three tables."""
    url, dag = sys.argv[1:]
    engine = sqlalchemy.create_engine(url)
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

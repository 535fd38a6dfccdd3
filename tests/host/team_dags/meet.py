"""A DAG whose task says what it sees, and ends when a task of another instance runs, too.

MEETING is a directory that all instances may write to. What the task saw is in
AIRFLOW_HOME/meet.json, and in the database as the variable "met".
"""

from __future__ import annotations

import datetime
import inspect
import json
import os
import pwd
import time
from pathlib import Path

from airflow import DAG  # type: ignore[import-not-found]
from airflow.hooks.base import BaseHook  # type: ignore[import-not-found]
from airflow.models import Variable  # type: ignore[import-not-found]
from airflow.operators.python import PythonOperator  # type: ignore[import-not-found]

# The parameter's name changed in Airflow 2.4.
_SCHEDULE = "schedule" if "schedule" in inspect.signature(DAG).parameters else "schedule_interval"
# Only a hang reaches it.
_SECONDS = 900
_PARTS = ("conn_type", "host", "login", "password", "schema", "port")


def meet() -> None:
    """Tell of this instance, then wait for the other."""
    found = {}
    for wanted in os.environ["CONNECTIONS"].split():
        connection = BaseHook.get_connection(wanted)
        found[wanted] = {part: getattr(connection, part) for part in _PARTS}
        found[wanted]["extra"] = connection.extra_dejson
    name, odd = os.environ["AIRFLOW_INSTANCE_NAME"], os.environ["ODD"]
    said = {
        "user": pwd.getpwuid(os.geteuid()).pw_name,
        "instance": name,
        "odd": odd,
        "connections": found,
    }
    Path(os.environ["AIRFLOW_HOME"], "meet.json").write_text(json.dumps(said))
    Variable.set("met", name + odd)
    meeting = Path(os.environ["MEETING"])
    (meeting / name).touch()
    end = time.monotonic() + _SECONDS
    while len(list(meeting.iterdir())) < 2:
        if time.monotonic() > end:
            raise RuntimeError("nobody else came")
        time.sleep(0.2)


with DAG("meet", start_date=datetime.datetime(2021, 1, 1), **{_SCHEDULE: None}) as dag:
    PythonOperator(task_id="meet", python_callable=meet)

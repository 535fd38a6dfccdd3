"""A DAG whose task uses the Kerberos ticket that its instance has."""

from __future__ import annotations

import datetime
import inspect
import os

from airflow import DAG  # type: ignore[import-not-found]
from airflow.operators.bash import BashOperator  # type: ignore[import-not-found]

HOME = os.environ["AIRFLOW_HOME"]
# The parameter's name changed in Airflow 2.4.
_SCHEDULE = "schedule" if "schedule" in inspect.signature(DAG).parameters else "schedule_interval"

with DAG("ticket", start_date=datetime.datetime(2021, 1, 1), **{_SCHEDULE: None}) as dag:
    # klist -s: there is one, and it is good; kvno gets another one with it.
    BashOperator(
        task_id="use",
        bash_command=f"set -e; klist -s; kvno -q HTTP/service.example.org@EXAMPLE.ORG; "
        f'printf "%s\\n" "$KRB5CCNAME" > {HOME}/ticket.txt; klist >> {HOME}/ticket.txt',
    )

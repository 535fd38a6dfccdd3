"""A DAG whose task runs until AIRFLOW_HOME/go is there, and says so if it is told to end."""

from __future__ import annotations

import datetime
import inspect

from airflow import DAG  # type: ignore[import-not-found]
from airflow.operators.bash import BashOperator  # type: ignore[import-not-found]

# The parameter's name changed in Airflow 2.4.
_SCHEDULE = "schedule" if "schedule" in inspect.signature(DAG).parameters else "schedule_interval"

with DAG("patient", start_date=datetime.datetime(2021, 1, 1), **{_SCHEDULE: None}) as dag:
    BashOperator(
        task_id="wait",
        bash_command="trap 'echo told >> $AIRFLOW_HOME/told; exit 1' TERM\n"
        "touch $AIRFLOW_HOME/begun\n"
        "until [ -e $AIRFLOW_HOME/go ]; do sleep 1; done\n"
        "rm $AIRFLOW_HOME/go $AIRFLOW_HOME/begun",
    )

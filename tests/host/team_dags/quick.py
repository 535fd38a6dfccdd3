"""A DAG of one task that says where and as whom it ran, in AIRFLOW_HOME/quick.txt."""

from __future__ import annotations

import datetime
import inspect
import os

from airflow import DAG  # type: ignore[import-not-found]

try:
    from airflow.providers.standard.operators.bash import (  # type: ignore[import-not-found]
        BashOperator,
    )
except ImportError:  # before Airflow 3 it was Airflow's own
    from airflow.operators.bash import BashOperator  # type: ignore[import-not-found]

HOME = os.environ["AIRFLOW_HOME"]
# The parameter's name changed in Airflow 2.4.
_SCHEDULE = "schedule" if "schedule" in inspect.signature(DAG).parameters else "schedule_interval"

with DAG("quick", start_date=datetime.datetime(2021, 1, 1), **{_SCHEDULE: None}) as dag:
    BashOperator(
        task_id="say",
        bash_command=f"echo $AIRFLOW_INSTANCE_NAME $(id -un) >> {HOME}/quick.txt",
    )

"""A DAG with what 2.1.0 and later have in common: a shell, and a notebook."""

from __future__ import annotations

import datetime
import inspect
import os

from airflow import DAG  # type: ignore[import-not-found]
from airflow.operators.bash import BashOperator  # type: ignore[import-not-found]
from airflow.providers.papermill.operators.papermill import PapermillOperator  # type: ignore[import-not-found]

HOME = os.environ["AIRFLOW_HOME"]
# The parameter's name changed in Airflow 2.4.
_SCHEDULE = "schedule" if "schedule" in inspect.signature(DAG).parameters else "schedule_interval"

with DAG("integrations", start_date=datetime.datetime(2021, 1, 1), **{_SCHEDULE: None}) as dag:
    shell = BashOperator(
        task_id="shell",
        bash_command=f"echo run {{{{ run_id }}}} as $(id -un) >> {HOME}/shell.txt",
    )
    notebook = PapermillOperator(
        task_id="notebook",
        input_nb=f"{os.path.dirname(os.path.abspath(__file__))}/notebook.ipynb",
        output_nb=f"{HOME}/notebook-done.ipynb",
        parameters={"rows": 7},
    )
    shell >> notebook

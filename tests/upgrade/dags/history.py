"""A DAG of one task that reads a variable, on every Airflow from 2.1 to 3."""

from __future__ import annotations

import datetime
import importlib
import inspect
from typing import Any


def first(*places: str) -> Any:
    """What the first of ``module:name`` that there is stands for."""
    for place in places[:-1]:
        module, _, name = place.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except ImportError:
            continue
    module, _, name = places[-1].partition(":")
    return getattr(importlib.import_module(module), name)


DAG = first("airflow.sdk:DAG", "airflow:DAG")
BASH = first(
    "airflow.providers.standard.operators.bash:BashOperator",
    "airflow.operators.bash:BashOperator",
)
# The parameter's name changed in Airflow 2.4.
_SCHEDULE = "schedule" if "schedule" in inspect.signature(DAG).parameters else "schedule_interval"

with DAG("history", start_date=datetime.datetime(2021, 1, 1), **{_SCHEDULE: None}) as dag:
    BASH(
        task_id="read",
        bash_command="echo {{ run_id }} {{ var.value.treasure }} >> $AIRFLOW_HOME/read.txt",
    )

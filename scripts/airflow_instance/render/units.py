"""The drop-ins that make the daemons' unit templates an instance's own.

Templates are shipped and never rewritten; what they cannot know is here.
"""

from __future__ import annotations

from ..instance import Instance
from ..layout import unit
from ..versions import Daemon, table
from . import header
from .environment import drop_in

_FINISH = "/usr/share/airflow-instances/airflow_instance/inside/finish_task.py"


def daemon(instance: Instance, which: Daemon) -> str:
    """For a daemon: the common drop-in, and the command of the installed version."""
    version = instance.installation.version
    command = which.command(version)
    words = [*which.through, instance.installation.airflow, *command]
    text = f"{drop_in(instance)}ExecStart=\nExecStart={' '.join(words)}\n"
    text += "".join(f"{line}\n" for line in which.service(version))
    if which.name == "scheduler" and _executors(instance) & table().sequential:
        # SIGTERM would kill the task. This lets it finish, and ends the scheduler then.
        text += f"ExecStop=/usr/bin/python3 -I {_FINISH} $MAINPID\nSuccessExitStatus=SIGKILL\n"
    return text


def whole(instance: Instance) -> str:
    """For airflow@NAME.service: the daemons that the instance has, and no others."""
    wanted = " ".join(unit(which.name, instance.name) for which in instance.daemons)
    return f"{header(instance.name)}[Unit]\nWants={wanted}\n"


def _executors(instance: Instance) -> set[str]:
    """The executors by their short names: of ``alias:a.b.C``, ``a.b.C`` and ``C`` that is C."""
    words = instance.effective("executor").split(",")
    return {word.strip().rpartition(":")[2].rpartition(".")[2] for word in words}

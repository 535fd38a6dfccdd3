"""A package's last days: removed, purged, installed again."""

from __future__ import annotations

from dataclasses import dataclass

from tests.host.lab import APT, PYTHON, USER, Lab
from tests.host.registry import scenario

from airflow_deb.machine import Machine
from airflow_deb.run import Result

# An administrator's and a user's own: no business of the package.
KEPT = {
    "/srv/airflow-team/airflow.cfg": "airflow",
    f"/home/{USER}/airflow/task.log": USER,
    "/etc/airflow-team/connections.yaml": "root",
}


@dataclass(frozen=True)
class Removal:
    """What was seen after each step; ``files`` are the package's, not those left over."""

    files: tuple[str, ...]
    started: str
    removed: State
    purged: State
    purge_output: str
    reinstalled: Result


@dataclass(frozen=True)
class State:
    """What is there: dpkg's view, which of the package's files, which of the user's."""

    dpkg: str
    present: tuple[str, ...]
    kept: tuple[str, ...]
    user: bool


@scenario("installed")
def removal(lab: Lab) -> Removal:
    """Remove, purge and reinstall the package on a machine of its own."""
    machine = lab.machine("removal", lab.result("installed"))
    files = _files(machine)
    machine.call(["mkdir", f"/home/{USER}/airflow"], user=USER)
    for path, owner in KEPT.items():
        machine.write(path, "precious\n", owner=f"{owner}:{owner}")
    # A root's Python that writes bytecode of its own leaves files dpkg knows nothing of.
    machine.call([PYTHON, "-O", "-c", "import airflow, papermill"])
    before = _running(machine)
    machine.shell(f"{APT} remove airflow")
    removed = _state(machine)
    purge = machine.shell(f"{APT} purge airflow")
    purged = _state(machine)
    machine.shell(f"{APT} install {lab.package}", timeout=600)
    started = "\n".join(sorted(_running(machine) - before))
    version = machine.call(["airflow", "version"], user=USER, check=False)
    lab.retire(machine)
    return Removal(files, started, removed, purged, purge.stdout + purge.stderr, version)


def _files(machine: Machine) -> tuple[str, ...]:
    """Every path that is the package's alone: no directory that others share.

    Kept in a file on the machine too, for `_state`: there are too many for a
    command line.
    """
    script = """
        cd /var/lib/dpkg/info
        find . -name '*.list' ! -name airflow.list -exec cat {} + | sort -u > /root/others
        sort airflow.list | comm -23 - /root/others | tee /root/files
    """
    return tuple(machine.shell(script).stdout.split("\n")[:-1])


def _running(machine: Machine) -> set[str]:
    words = ["systemctl", "list-units", "--no-legend", "--plain", "--type=service,timer,socket"]
    return {line.split()[0] for line in machine.call(words).stdout.splitlines()}


def _state(machine: Machine) -> State:
    status = machine.call(["dpkg-query", "-W", "-f=${Status}", "airflow"], check=False)
    # Whatever is below the package's own directory is left over too.
    script = """
        while read -r path; do
            if [ -e "$path" ] || [ -L "$path" ]; then echo "$path"; fi
        done < /root/files
        if [ -d /usr/lib/airflow ]; then find /usr/lib/airflow -mindepth 1; fi
    """
    present = set(machine.shell(script).stdout.split("\n")) - {""}
    kept = tuple(path for path in KEPT if machine.read(path) == "precious\n")
    user = machine.call(["getent", "passwd", "airflow"], check=False).status == 0
    return State(status.stdout, tuple(sorted(present)), kept, user)

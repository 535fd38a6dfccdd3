"""Tasks that run when it is time to stop: team_dags/patient.py, and what becomes of it."""

from __future__ import annotations

from tests.host.instances import Instance


def begin(team: Instance) -> None:
    """Have the task of `patient` run."""
    team.trigger("patient")
    team.wait("the task to begin", lambda: there(team, "begun"))


def there(team: Instance, name: str) -> bool:
    """Whether the task has left this file in the home: begun, or told (to end)."""
    return team.as_user("test", "-e", f"{team.home}/{name}", check=False).status == 0


def drain(team: Instance, daemon: str) -> tuple[str, str]:
    """``restart --drain`` of a ``daemon`` whose task ends only after it was told to stop.

    Its exit status and what it said, and how long systemd would have waited meanwhile.
    """
    command = (
        f"airflow-instance restart --drain=30 {team.name} >/tmp/said 2>&1; echo $? >/tmp/status"
    )
    team.machine.call(["systemd-run", "--unit=drain", "--collect", "sh", "-c", command])
    unit = team.unit(daemon)

    def told() -> bool:
        return team.host.property(unit, "ActiveState") == "deactivating"

    team.wait(f"the {daemon} to be told", told)
    patience = team.host.property(unit, "TimeoutStopUSec")
    team.as_user("touch", f"{team.home}/go")
    team.wait("the restart", lambda: _text(team, "/tmp/status") != "")
    return _text(team, "/tmp/status") + _text(team, "/tmp/said"), patience


def _text(team: Instance, path: str) -> str:
    return team.machine.call(["cat", path], check=False).stdout

"""The nightly cleaning on a booted host: by its timer's service, as the instance's user."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from tests.host.instances import Host, Instance
from tests.host.lab import Lab
from tests.host.registry import scenario

EXPOSURE = 3.0
SERVICE = "airflow-clean-logs@tidy.service"
TIMER = "airflow-clean-logs@tidy.timer"
# A relation of a day and an age: what is older than the 10 days below goes.
DAYS = 10

FOREST = """
    mkdir -p LOGS/dag/old LOGS/dag/new LOGS/mounted /srv/outside
    cd LOGS
    echo log | tee dag/old/1.log dag/new/1.log dag/new/0.log evil >/dev/null
    echo "somebody else's" > /srv/outside/file
    ln -s /srv/outside dag/elsewhere
    ln -s nowhere dead
    ln -s 2020-01-01 latest
    chown -Rh OWNER: .
    echo "root's" > dag/root.log
    touch -d "30 days ago" dag/old/1.log dag/new/0.log dag/root.log /srv/outside/file
    touch -hd "30 days ago" dag/elsewhere dead latest
    mount -t tmpfs none mounted
    echo log > mounted/log
    touch -d "30 days ago" mounted/log dag/old dag /srv/outside
"""


@dataclass(frozen=True)
class Tidy:
    """An instance with logs of all ages, after its service has run once."""

    host: Host
    team: Instance
    foretold: dict[str, object]
    left: list[str]
    journal: str


@scenario("pair")
def tidy(lab: Lab) -> Tidy:
    """The folder of logs is a link to another place, as on hosts with a disk for them."""
    machine = lab.machine("tidy", lab.result("pair"))
    host = Host(lab, machine)
    team = host.declare("tidy", create_user=True, clean_logs_older_than_days=DAYS)
    host.tool("apply")
    machine.shell(
        f"mkdir /data; rmdir {team.home}/logs; install -d -o {team.user} -g {team.user} /data/logs;"
        f"ln -s /data/logs {team.home}/logs"
    )
    machine.shell(FOREST.replace("LOGS", "/data/logs").replace("OWNER", team.user))
    foretold = json.loads(team.tool("clean-logs", "--dry-run", "--json").stdout)
    host.systemctl("start", SERVICE)
    left = machine.shell("cd /data/logs; find . -mindepth 1 | sort").stdout.split()
    return Tidy(host, team, foretold, left, team.journal("clean-logs"))


def test_what_is_old_is_gone_and_nothing_else(tidy: Tidy) -> None:
    assert tidy.left == [
        *("./dag", "./dag/elsewhere", "./dag/new", "./dag/new/1.log"),
        *("./evil", "./mounted", "./mounted/log"),
    ]
    assert tidy.host.machine.read("/srv/outside/file") == "somebody else's\n"


def test_it_says_what_it_did(tidy: Tidy) -> None:
    assert "leads to /data/logs" in tidy.journal
    assert "deleted 3 files, 2 dead links and 1 directory older than 10 days" in tidy.journal
    numbers = {"files": 3, "links": 2, "directories": 1, "mounts": 1, "failed": 0}
    assert tidy.foretold.items() >= numbers.items()


def test_it_has_no_rights_but_the_user_s(tidy: Tidy) -> None:
    assert tidy.host.property(SERVICE, "User") == tidy.team.user
    assert tidy.host.property(SERVICE, "Result") == "success"
    said = tidy.host.machine.call(["systemd-analyze", "security", "--no-pager", SERVICE]).stdout
    exposure = re.search(r"Overall exposure level for .*: ([\d.]+) ", said)
    assert exposure, said
    assert float(exposure[1]) <= EXPOSURE


def test_the_timer_runs(tidy: Tidy) -> None:
    assert tidy.host.property(TIMER, "ActiveState") == "active"
    assert tidy.host.property(TIMER, "NextElapseUSecRealtime") != ""
    assert tidy.host.property(TIMER, "Persistent") == "yes"


def test_root_is_told_whom_to_be(tidy: Tidy) -> None:
    machine = tidy.host.machine
    done = machine.call(["clean_logs", "/data/logs", "1"], check=False)
    assert done.status == 4
    command = done.stderr.split("; ", 1)[1].strip()
    assert machine.shell(command).status == 0


def test_another_user_is_told_the_sudo_command(tidy: Tidy) -> None:
    done = tidy.team.tool("clean-logs", user="tester", check=False)
    assert done.status == 4
    assert f"sudo -u {tidy.team.user} airflow-instance clean-logs tidy" in done.stderr

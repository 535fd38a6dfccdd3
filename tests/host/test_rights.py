"""Team rights and the firewall's tables: what sudo, systemd, nft and the journal make of them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.host.instances import Host, Instance
from tests.host.lab import Lab
from tests.host.registry import scenario

from airflow_deb.run import Result

# One's name is the beginning of the other's.
TEAMS = {"analytics": "data", "analytics-test": "qa"}
PEOPLE = {"data": "alice", "qa": "bob"}
RANGES = "10.0.0.0/8 192.0.2.0/24 2001:db8::/32"
# Daemons that do nothing: whether one may be restarted is not Airflow's affair.
IDLE = """\
[Service]
Type=simple
ExecStartPre=
ExecStart=
ExecStart=/bin/sh -c 'echo "I am of %i."; exec sleep infinity'
ExecStop=
"""


@dataclass(frozen=True)
class Rights:
    """Two instances of two teams, each with a member."""

    host: Host
    teams: dict[str, Instance]

    def as_member_of(self, name: str, *command: str) -> Result:
        """Run a command as the member of an instance's team."""
        member = PEOPLE[TEAMS[name]]
        words = ["runuser", "-u", member, "--", *command]
        return self.host.machine.call(words, check=False)

    def other(self, name: str) -> str:
        return next(other for other in TEAMS if other != name)


@scenario("instances")
def rights(lab: Lab) -> Rights:
    """Declared and applied, as Puppet would; their daemons are stand-ins."""
    machine = lab.machine("rights", lab.result("instances"))
    host = Host(lab, machine)
    teams = {}
    for name, group in TEAMS.items():
        machine.call(["groupadd", group])
        machine.call(["useradd", "--create-home", "--groups", group, PEOPLE[group]])
        declared = {"create_user": True, "team_group": group, "firewall_ranges": RANGES}
        teams[name] = host.declare(name, **declared, watchdog_strikes=0)
    host.tool("apply")
    for team in teams.values():
        for daemon in team.daemons:
            machine.write(f"/etc/systemd/system/airflow-{daemon}@.service.d/99-idle.conf", IDLE)
    host.systemctl("daemon-reload")
    for team in teams.values():
        host.systemctl("start", team.unit())
    return Rights(host, teams)


BOTH = pytest.mark.parametrize("name", TEAMS)


@BOTH
@pytest.mark.parametrize("suffix", [".service", ""])
def test_a_team_restarts_its_own(rights: Rights, name: str, suffix: str) -> None:
    team = rights.teams[name]
    before = [team.pid(daemon) for daemon in team.daemons]
    assert all(before)
    unit = team.unit().replace(".service", suffix)
    done = rights.as_member_of(name, "sudo", "-n", "systemctl", "restart", unit)
    assert done.status == 0, done.stderr
    team.wait("all daemons to run", lambda: all(map(team.pid, team.daemons)))
    assert not set(before) & {team.pid(daemon) for daemon in team.daemons}


@BOTH
def test_a_team_stops_and_starts_one_daemon(rights: Rights, name: str) -> None:
    team = rights.teams[name]
    unit = team.unit("scheduler")
    assert rights.as_member_of(name, "sudo", "-n", "systemctl", "stop", unit).status == 0
    assert not team.active("scheduler")
    assert rights.as_member_of(name, "sudo", "-n", "systemctl", "start", unit).status == 0
    assert team.active("scheduler")


@BOTH
def test_a_team_reads_its_own_journal(rights: Rights, name: str) -> None:
    done = rights.as_member_of(name, "sudo", "-n", "airflow-instance", "logs", name)
    assert done.status == 0, done.stderr
    assert f"I am of {name}." in done.stdout
    assert f"I am of {rights.other(name)}." not in done.stdout
    words = ("sudo", "-n", "airflow-instance", "logs", name, "scheduler", "-n", "1")
    (line,) = rights.as_member_of(name, *words).stdout.splitlines()[-1:]
    assert f"airflow-scheduler@{name}[" in line


@BOTH
def test_a_team_sees_its_own_status(rights: Rights, name: str) -> None:
    done = rights.as_member_of(name, "sudo", "-n", "airflow-instance", "status", name)
    assert f"{name}: " in done.stdout, done.stderr
    for verb in ("start", "stop", "restart", "check"):
        words = ("sudo", "-n", "-l", "airflow-instance", verb, name)
        assert rights.as_member_of(name, *words).status == 0


OTHERS = [
    "systemctl restart airflow@OTHER.service",
    "systemctl restart airflow@OTHER",
    "systemctl stop airflow-scheduler@OTHER.service",
    "airflow-instance restart OTHER",
    "airflow-instance logs OTHER",
    "airflow-instance status OTHER",
    "airflow-instance start NAME OTHER",
    "airflow-instance start --all",
    "systemctl restart airflow@NAME.service airflow@OTHER.service",
    "systemctl restart airflow.service",
    "systemctl restart airflow@*",
    "systemctl status airflow@NAME.service",
    "systemctl enable airflow@NAME.service",
    "systemctl edit airflow@NAME.service",
    "systemctl isolate airflow@NAME.service",
    "systemctl poweroff",
    "airflow-instance logs NAME --file=/etc/shadow",
    "airflow-instance logs NAME -n 5 --merge",
    "airflow-instance set NAME service_user=daemon",
    "airflow-instance drop NAME",
    "airflow-instance exec --program /bin/sh NAME",
    "-u airflow-NAME id",
    "AIRFLOW_INSTANCE_ROOT=/tmp airflow-instance status NAME",
    "SYSTEMD_PAGER=/bin/sh airflow-instance logs NAME",
    "journalctl",
    "id",
]


@BOTH
@pytest.mark.parametrize("line", OTHERS)
def test_a_team_may_do_nothing_else(rights: Rights, name: str, line: str) -> None:
    pids = {its: team.pid("scheduler") for its, team in rights.teams.items()}
    words = line.replace("NAME", name).replace("OTHER", rights.other(name)).split()
    done = rights.as_member_of(name, "sudo", "-n", *words)
    assert done.status != 0, done.stdout
    # It is sudo that says no, not what it would have run.
    assert done.stderr.startswith("sudo: "), done.stderr
    assert done.stdout == ""
    assert {its: team.pid("scheduler") for its, team in rights.teams.items()} == pids


def test_without_sudo_a_team_may_do_nothing_at_all(rights: Rights) -> None:
    done = rights.as_member_of("analytics", "airflow-instance", "logs", "analytics")
    assert done.status == 4
    assert "sudo airflow-instance logs analytics" in done.stderr
    assert rights.as_member_of("analytics", "cat", "/etc/sudoers.d/airflow-analytics").status != 0


def test_sudo_likes_all_of_its_files(rights: Rights) -> None:
    done = rights.host.machine.call(["visudo", "-c"])
    for name in TEAMS:
        assert f"/etc/sudoers.d/airflow-{name}: parsed OK" in done.stdout


def test_nft_loads_the_tables_again_and_again(rights: Rights) -> None:
    machine = rights.host.machine
    conf = '#!/usr/sbin/nft -f\nflush ruleset\ninclude "/etc/airflow/nftables.d/*.nft"\n'
    machine.write("/root/nftables.conf", conf)
    machine.call(["nft", "-c", "-f", "/root/nftables.conf"])
    for _ in range(2):
        machine.call(["nft", "-f", "/root/nftables.conf"])
        for name in TEAMS:
            machine.call(["nft", "-f", f"/etc/airflow/nftables.d/{name}.nft"])
    listed = machine.call(["nft", "list", "tables"]).stdout.splitlines()
    assert listed == ["table inet airflow_analytics", "table inet airflow_analytics_test"]


def test_the_table_lets_in_whom_it_names(rights: Rights) -> None:
    """From another host, as it were, with an address within the ranges and one beyond."""
    port = rights.teams["analytics"].port
    script = f"""
        nft -f /etc/airflow/nftables.d/analytics.nft
        ip netns add outside
        ip link add here type veth peer name there netns outside
        ip address add 10.1.0.1/24 dev here
        ip address add 172.16.0.1/24 dev here
        ip link set here up
        ip -n outside address add 10.1.0.2/24 dev there
        ip -n outside address add 172.16.0.2/24 dev there
        ip -n outside link set there up
        systemd-run --quiet --unit=web python3 -m http.server {port}
        systemd-run --quiet --unit=other python3 -m http.server 9999
        until curl -so /dev/null 127.0.0.1:{port} && curl -so /dev/null 127.0.0.1:9999; do
            sleep 1
        done
        echo loopback
        ask() {{ ip netns exec outside curl -m 20 -so /dev/null --interface $1 $2 && echo $3; }}
        ask 10.1.0.2 10.1.0.1:{port} within || true
        ask 172.16.0.2 172.16.0.1:{port} beyond || true
        ask 172.16.0.2 172.16.0.1:9999 unconcerned || true
        systemctl stop web other
    """
    done = rights.host.machine.shell(script)
    assert done.stdout.split() == ["loopback", "within", "unconcerned"], done.stderr

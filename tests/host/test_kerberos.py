"""Kerberos with a real KDC: the ticket is got, renewed and used; bad keytabs are refused."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from tests.host.instances import BACK, Host, Instance
from tests.host.lab import Lab
from tests.host.registry import scenario

from airflow_deb.machine import Machine

REALM = "EXAMPLE.ORG"
FQDN = "kerberos-host.example.org"
PRINCIPAL = f"airflow-secure/{FQDN}@{REALM}"
KEYTAB = "/etc/security/keytabs/airflow-secure/airflow-secure.keytab"
CCACHE = "/srv/airflow-secure/airflow_airflow-secure_krb5_ccache"

# Renewed every three seconds, and good for five minutes.
FREQUENCY = 3
KDC_CONF = """\
[realms]
 EXAMPLE.ORG = {
  max_life = 5m
  max_renewable_life = 1d
  default_principal_flags = +preauth
 }
"""
KRB5_CONF = """\
[libdefaults]
 default_realm = OTHER.ORG
 dns_lookup_kdc = false
 dns_lookup_realm = false
 rdns = false
[realms]
 EXAMPLE.ORG = {
  kdc = 127.0.0.1
 }
"""


@dataclass
class Kerberos:
    """The machine after all of it, and what was seen on the way."""

    host: Host
    team: Instance
    # By the fault: what the unit said, and whether Airflow was started nevertheless.
    refused: dict[str, tuple[str, bool]] = field(default_factory=dict)
    first: str = ""
    task: dict[str, object] = field(default_factory=dict)


def kadmin(machine: Machine, query: str) -> None:
    machine.call(["kadmin.local", "-r", REALM, "-q", query])


def make_realm(machine: Machine) -> None:
    """A KDC that runs here, and a host name with a domain."""
    short = FQDN.partition(".")[0]
    machine.call(["hostname", short])
    machine.write("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {FQDN} {short}\n")
    machine.write("/etc/krb5.conf", KRB5_CONF)
    machine.write("/etc/krb5kdc/kdc.conf", KDC_CONF)
    # Whom the KDC itself serves, when it is not the host's own realm.
    machine.write("/etc/default/krb5-kdc", f'DAEMON_ARGS="-r {REALM}"\n')
    machine.call(["kdb5_util", "create", "-s", "-r", REALM, "-P", "master"])
    machine.call(["systemctl", "start", "krb5-kdc"])
    for name in (
        PRINCIPAL,
        f"airflow-secure/elsewhere@{REALM}",
        f"HTTP/service.example.org@{REALM}",
    ):
        kadmin(machine, f"addprinc -randkey {name}")


def put_keytab(machine: Machine, principal: str, *, mode: str = "400") -> None:
    """A new keytab with a new key of ``principal``: the next version of it."""
    machine.shell(f"mkdir -p {KEYTAB.rpartition('/')[0]}; rm -f {KEYTAB}")
    kadmin(machine, f"ktadd -k {KEYTAB} {principal}")
    machine.shell(f"chown airflow-secure: {KEYTAB}; chmod {mode} {KEYTAB}")


def refuse(host: Host, team: Instance) -> tuple[str, bool]:
    """Start the unit, which must fail; what it said, and whether Airflow was started."""
    before = len(team.journal("kerberos"))
    done = host.systemctl("start", team.unit("kerberos"), check=False)
    host.systemctl("stop", team.unit("kerberos"))
    host.systemctl("reset-failed", team.unit("kerberos"), check=False)
    # What the start gate waits longer and longer for: each fault is looked at by itself.
    host.machine.call(["rm", "-rf", f"/run/airflow-kerberos@{team.name}"])
    assert done.status != 0, team.journal("kerberos")
    said = team.journal("kerberos")[before:]
    return said, "Re-initialising" in said


@scenario("instances")
def kerberos(lab: Lab) -> Kerberos:
    """An instance with security: kerberos, first with every fault, then without."""
    machine = lab.machine("kerberos", lab.result("instances"))
    make_realm(machine)
    host = Host(lab, machine)
    config = {"core": {"security": "kerberos"}, "kerberos": {"reinit_frequency": FREQUENCY}}
    team = host.declare("secure", create_user=True, kerberos_realm=REALM, airflow_config=config)
    host.create("other")
    host.tool("apply")
    found = Kerberos(host, team)
    found.refused["none"] = refuse(host, team)
    put_keytab(machine, f"airflow-secure/elsewhere@{REALM}")
    found.refused["another's"] = refuse(host, team)
    put_keytab(machine, PRINCIPAL)
    machine.call(["chown", "root:root", KEYTAB])
    found.refused["unreadable"] = refuse(host, team)
    machine.shell(f"chown airflow-secure: {KEYTAB}; chmod 444 {KEYTAB}")
    found.refused["open"] = refuse(host, team)
    machine.call(["chmod", "400", KEYTAB])
    kadmin(machine, f"ktadd -k /root/newer {PRINCIPAL}")
    found.refused["old"] = refuse(host, team)
    machine.shell(
        f"head -c 40 {KEYTAB} > {KEYTAB}.cut; cat {KEYTAB}.cut > {KEYTAB}; rm {KEYTAB}.cut"
    )
    found.refused["cut"] = refuse(host, team)
    put_keytab(machine, PRINCIPAL)
    machine.call(["mv", "/usr/bin/kinit", "/usr/bin/kinit.away"])
    found.refused["no kinit"] = refuse(host, team)
    machine.call(["mv", "/usr/bin/kinit.away", "/usr/bin/kinit"])
    kadmin(machine, f"modprinc -maxrenewlife 0 {PRINCIPAL}")
    found.refused["not renewable"] = refuse(host, team)
    kadmin(machine, f"modprinc -maxrenewlife 1d {PRINCIPAL}")
    # Now all is well: systemd says that it has started, and there is a ticket.
    host.systemctl("start", team.unit("kerberos"))
    found.first = machine.call(["klist", CCACHE]).stdout
    team.airflow(*lab.expected["migrate"])
    team.add_dag("ticket")
    host.systemctl("start", team.unit("scheduler"))
    found.task = team.run_dag("ticket")
    return found


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("none", f"error: {KEYTAB}: there is no keytab for {PRINCIPAL}; ktadd -k {KEYTAB}"),
        ("another's", f"has no key of {PRINCIPAL}; it has airflow-secure/elsewhere@{REALM}; ktadd"),
        ("unreadable", f"{KEYTAB}: airflow-secure cannot read it: Permission denied; chown"),
        ("open", f"{KEYTAB}: everyone on this host can use it, mode 0444; chown airflow-secure"),
        ("old", f"the KDC does not accept key version 2 of {PRINCIPAL}"),
        ("cut", f"{KEYTAB} is cut short or damaged"),
        ("no kinit", "there is no kinit; apt install krb5-user"),
        ("not renewable", f"the KDC gives {PRINCIPAL} tickets that cannot be renewed"),
    ],
)
def test_a_bad_keytab_is_refused_before_airflow_starts(
    kerberos: Kerberos, fault: str, line: str
) -> None:
    said, started = kerberos.refused[fault]
    assert line in said
    assert said.count("airflow-instance: error:") == 1
    assert not started


def test_there_is_a_ticket_when_the_unit_has_started(kerberos: Kerberos) -> None:
    assert f"Default principal: {PRINCIPAL}" in kerberos.first
    assert f"krbtgt/{REALM}@{REALM}" in kerberos.first


def wait_for_another_ticket(kerberos: Kerberos) -> None:
    """Wait until the renewer has got a ticket that is not the present one."""

    def times() -> list[str]:
        shown = kerberos.host.machine.call(["klist", CCACHE], check=False).stdout
        return [line for line in shown.splitlines() if "krbtgt/" in line]

    seen = times()
    kerberos.host.wait(
        "another ticket", lambda: times() not in ([], seen), words=kerberos.team.words
    )


def test_the_ticket_is_renewed(kerberos: Kerberos) -> None:
    wait_for_another_ticket(kerberos)
    assert kerberos.team.active("kerberos")
    assert kerberos.host.property(kerberos.team.unit("kerberos"), "NRestarts") == "0"


def test_a_task_uses_the_ticket(kerberos: Kerberos) -> None:
    assert kerberos.task["tasks"] == {"use": "success"}, kerberos.team.words()
    said = kerberos.host.machine.read(f"{kerberos.team.home}/ticket.txt")
    assert said.splitlines()[0] == CCACHE
    assert f"HTTP/service.example.org@{REALM}" in said


def test_nobody_else_has_the_ticket_or_the_key(kerberos: Kerberos) -> None:
    machine = kerberos.host.machine
    assert machine.call(["stat", "-c", "%a %U", CCACHE]).stdout.split() == ["600", "airflow-secure"]
    other = kerberos.host.instance("other")
    for path in (CCACHE, KEYTAB):
        done = other.as_user("cat", path, check=False)
        assert (done.status, done.stdout) == (1, "")
        assert "Permission denied" in done.stderr
    trial = machine.shell("find / -xdev -name 'airflow-keytab-*'").stdout
    assert trial == "", "the trial's ticket was left behind"


def test_check_keytab(kerberos: Kerberos) -> None:
    """By hand, as root, as the service user and as somebody else."""
    team = kerberos.team
    for user in ("", team.user):
        said = kerberos.host.machine.call(
            ["runuser", "-u", user or "root", "--", "airflow-instance", "check-keytab", "secure"]
        ).stdout
        assert said.startswith(f"{KEYTAB}: {PRINCIPAL}, key version 4; the KDC accepts it"), said
    done = team.tool("check-keytab", check=False, user="tester")
    assert done.status == 4
    assert "sudo -u airflow-secure airflow-instance check-keytab secure" in done.stderr
    done = kerberos.host.tool("check-keytab", "other", check=False)
    assert done.status == 1
    assert "other does not use Kerberos" in done.stderr


def test_a_silent_kdc_does_not_stop_the_unit_from_trying(kerberos: Kerberos) -> None:
    kerberos.host.systemctl("stop", "krb5-kdc")
    try:
        done = kerberos.team.tool("check-keytab")
        assert f"no KDC of {REALM} answers, so the key was not tried" in done.stderr
    finally:
        kerberos.host.systemctl("start", "krb5-kdc")
    # A renewal that fell into the silence has ended Airflow's renewer, at once or when its
    # kinit gives up; systemd starts another. The next ticket is of one that will stay.
    wait_for_another_ticket(kerberos)


def test_a_killed_renewer_is_back_soon(kerberos: Kerberos) -> None:
    assert kerberos.team.kill("kerberos") < BACK
    assert kerberos.team.as_user("klist", "-s", CCACHE, check=False).status == 0

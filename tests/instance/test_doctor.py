"""`doctor`: each fault is found, with the command that mends it, and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from airflow_instance import doctor, heads
from airflow_instance.doctor import databases, ports
from airflow_instance.doctor.finding import ERROR, WARNING, Finding, Patient
from airflow_instance.health import units
from airflow_instance.health.units import State
from airflow_instance.host import Account
from airflow_instance.site import Site

from .conftest import Run, snapshot

Capture = pytest.CaptureFixture[str]
Fault = Callable[[Path], object]


@pytest.fixture
def patient(site: Site, run: Run) -> Patient:
    """An instance that is well."""
    (site.layout.root / "usr").chmod(0o755)
    assert run("create", "a", "--db", "postgresql") == 0
    return Patient(site, "a", site.view(site.load("a")))


def edit(path: str, old: str, new: str) -> Fault:
    def change(root: Path) -> None:
        file = root / path
        mode = file.stat().st_mode
        file.chmod(0o644)
        file.write_text(file.read_text().replace(old, new))
        file.chmod(mode)

    return change


def append(path: str, text: str) -> Fault:
    def change(root: Path) -> None:
        with (root / path).open("a") as file:
            file.write(text)

    return change


def add(path: str) -> Fault:
    def change(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()

    return change


def test_a_good_instance_has_no_findings(patient: Patient, run: Run, capsys: Capture) -> None:
    assert doctor.examine(patient.site) == []
    capsys.readouterr()
    assert run("doctor") == 0
    assert capsys.readouterr().out == "nothing is wrong\n"
    assert run("doctor", "a", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


DECLARATION = "etc/airflow/instances.d/a.yaml"


@pytest.mark.parametrize(
    ("fault", "check", "mend"),
    [
        (
            lambda root: (root / "etc/airflow/keys.d/a.yaml").chmod(0o644),
            "declaration",
            "chmod 0600 /etc/airflow/keys.d/a.yaml",
        ),
        (
            lambda root: (root / "etc/airflow/environment.d/a.env").chmod(0o644),
            "modes",
            "chmod 0640 /etc/airflow/environment.d/a.env",
        ),
        (
            lambda root: (root / "etc/airflow/secrets.d").chmod(0o755),
            "modes",
            "chmod 0700 /etc/airflow/secrets.d",
        ),
        (lambda root: (root / "srv").chmod(0o775), "parents", "chmod go-w /srv"),
        (lambda root: (root / "usr").chmod(0o777), "parents", "chmod go-w /usr"),
        (
            lambda root: (root / "srv/airflow-a/dags").chmod(0o777),
            "home",
            "chmod o-w /srv/airflow-a/dags",
        ),
        (
            lambda root: (root / "srv/airflow-a").chmod(0o755),
            "apply",
            "airflow-instance apply a",
        ),
        (
            lambda root: (root / "srv/airflow-a/airflow.cfg").chmod(0o444),
            "apply",
            "airflow-instance apply a",
        ),
        (
            lambda root: (root / "usr/local/bin/airflow-a").unlink(),
            "apply",
            "airflow-instance apply a",
        ),
        (append(DECLARATION, "description: other\nstart: manual\n"), "apply", "apply a"),
        (
            append("etc/airflow/defaults.yaml", "airflow_config: {core: {paralelism: 3}}\n"),
            "options",
            "airflow-instance apply a",
        ),
        (
            append(DECLARATION, "environment_extra: {AIRFLOW__CORE__EXECUTOR: X}\n"),
            "environment",
            "set a --unset environment_extra.AIRFLOW__CORE__EXECUTOR --apply",
        ),
        (append(DECLARATION, "web_access: open\n"), "access", "set a web_access=login --apply"),
        (
            edit("etc/passwd", "airflow-a:", "airflow-b:"),
            "user",
            "airflow-instance apply a",
        ),
        (append(DECLARATION, "nonsense: 1\n"), "declaration", ""),
        (add("usr/bin/airflow-a"), "launcher", "rename a NEW, or call /usr/bin/airflow-a by"),
    ],
)
def test_faults(
    fault: Fault, check: str, mend: str, patient: Patient, root: Path, run: Run, capsys: Capture
) -> None:
    fault(root)
    findings = doctor.examine(patient.site, ["a"])
    found = [f for f in findings if f.check == check]
    assert found, findings
    assert any(mend in f.mend for f in found), found
    assert {f.instance for f in findings} == {"a"}
    before = snapshot(root)
    assert run("doctor", "a") == 1
    said = capsys.readouterr().out
    assert found[0].text in said
    assert snapshot(root) == before


def test_leftovers(patient: Patient, root: Path, run: Run) -> None:
    """What an instance has left behind whose file somebody simply deleted."""
    (root / DECLARATION).unlink()
    findings = [f for f in doctor.examine(patient.site) if f.check == "leftovers"]
    mends = {f.mend.split(" && ")[0] for f in findings}
    assert "rm /etc/airflow/environment.d/a.env" in mends
    assert "rm /etc/airflow/check.d/a.conf" in mends
    assert "rm /usr/local/bin/airflow-a" in mends
    drop_ins = [mend for mend in mends if mend.endswith(".service.d/10-instance.conf")]
    assert "rm /etc/systemd/system/airflow-scheduler@a.service.d/10-instance.conf" in drop_ins
    for mend in mends:
        (root / mend.split()[1].lstrip("/")).unlink()
    assert doctor.examine(patient.site) == []


def test_somebody_elses_files_are_no_leftovers(patient: Patient, root: Path) -> None:
    for path, text in (
        ("etc/airflow/environment.d/other.env", "X=1\n"),
        ("etc/systemd/system/airflow-scheduler@x.service.d/10-instance.conf", "[Service]\n"),
        ("usr/local/bin/airflow-tool", "#!/bin/sh\n"),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    assert doctor.examine(patient.site) == []


def test_one_failing_check_is_not_the_end(patient: Patient) -> None:
    def breaks(_: Patient) -> NoReturn:
        raise ZeroDivisionError("no")

    def works(_: Patient) -> Iterable[Finding]:
        yield Finding(WARNING, "x", "y", "z")

    found = doctor.examine(patient.site, ["a"], (), (breaks, works))
    assert [(f.check, f.severity) for f in found] == [("breaks", ERROR), ("x", WARNING)]
    assert "ZeroDivisionError: no" in found[0].text


def test_the_others_are_examined_beside_a_malformed_one(
    patient: Patient, declare: Callable[..., Path], run: Run, root: Path, capsys: Capture
) -> None:
    declare("b", "nonsense: 1\n")
    (root / "srv/airflow-a/dags").chmod(0o777)
    found = doctor.examine(patient.site)
    assert {f.instance for f in found if f.check != "declaration"} == {"a"}
    assert any(f.check == "declaration" and "b.yaml" in f.text for f in found)
    assert run("doctor", "nobody") == 5


SOCKETS = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2198 00000000:0000 0A 00000000:00000000 00:00000000 00000000    77        0 1
   1: 00000000:2199 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2
   2: 0100007F:219A 0100007F:9999 01 00000000:00000000 00:00000000 00000000    33        0 3
"""


def test_ports(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    found = list(ports.parse(SOCKETS, "0A"))
    assert [(sock.port, sock.uid) for sock in found] == [(8600, 77), (8601, 0)]
    monkeypatch.setattr(ports, "listeners", lambda patient: iter(found))
    monkeypatch.setattr(patient.site.host, "user", lambda name: Account(77, 77))
    (finding,) = ports.taken(patient)
    assert finding.text == "port 8601 (log_server) is taken by a process of root"
    assert "airflow-instance set a ports.log_server=PORT --apply" in finding.mend


def test_daemons_with_older_files(
    patient: Patient, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(layout: object, names: list[str]) -> Mapping[str, State]:
        return {
            name: State("failed", result="signal")
            if "triggerer" in name
            else State("active", age=60)
            for name in names
        }

    monkeypatch.setattr(units, "ask", ask)
    for path in ("srv/airflow-a", "etc/airflow/environment.d"):
        for file in (root / path).iterdir():
            os.utime(file, (1, 1))
    (crashed,) = doctor.examine(patient.site, ["a"])
    assert crashed.text == "triggerer crashed (signal)"
    os.utime(root / "srv/airflow-a/connections.yaml")
    found = {f.text: f.mend for f in doctor.examine(patient.site, ["a"])}
    path = "/srv/airflow-a/connections.yaml"
    assert (
        found[f"scheduler runs with an older {path}"]
        == "systemctl restart airflow-scheduler@a.service"
    )


@pytest.mark.parametrize(
    ("said", "severity", "part"),
    [
        ({"clock": "1010.0"}, WARNING, "clock is +10 s from"),
        ({"timestamps": "0"}, ERROR, "explicit_defaults_for_timestamp off"),
        ({"encoding": "latin1"}, ERROR, "not UTF-8"),
        ({"encoding": "SQL_ASCII"}, ERROR, "not UTF-8"),
        ({"most": "30"}, WARNING, "connections; it has 30"),
    ],
)
def test_database_servers(said: dict[str, str], severity: str, part: str, patient: Patient) -> None:
    good = {"clock": "1001.0", "timestamps": "1", "encoding": "utf8mb4", "most": "500"}
    assert list(databases._server(patient, good, 1000.0)) == []
    (finding,) = databases._server(patient, {**good, **said}, 1000.0)
    assert finding.severity == severity
    assert part in finding.text
    assert finding.mend


def test_connections_of_all_instances_count(patient: Patient, run: Run, site: Site) -> None:
    one = databases._wanted(patient)
    assert one > 0
    run("create", "b", "--db", "postgresql")
    run("create", "c")  # SQLite
    assert databases._wanted(patient) == 2 * one
    run("set", "a", "airflow_config.database.sql_alchemy_pool_size=50")
    assert databases.connections(site.view(site.load("a"))) > one


def test_schema_findings() -> None:
    texts = {
        state: [f.mend for f in databases._schema("a", heads.Schema(state))]
        for state in (heads.CURRENT, heads.FRESH, heads.PENDING, heads.AHEAD)
    }
    assert texts[heads.CURRENT] == []
    assert texts[heads.FRESH] == texts[heads.PENDING] == ["airflow-instance migrate a"]
    assert "--only-upgrade airflow" in texts[heads.AHEAD][0]

"""Unit templates, the drop-ins that fill them, and the gate before a start."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_instance import heads, prestart, probe, versions
from airflow_instance.errors import DeclarationError
from airflow_instance.instance import Instance
from airflow_instance.layout import Layout
from airflow_instance.render import environment
from airflow_instance.render import units as drop_ins
from airflow_instance.site import Site

from .conftest import Run

SHIPPED = Path(__file__).parents[2] / "scripts" / "units"
DAEMONS = [daemon.name for daemon in versions.table().daemons]
# Unknown to the systemd of bullseye, 247: it would warn at every start.
TOO_NEW = re.compile(r"^(RestartSteps|RestartMaxDelaySec|PrivateIPC|ExitType|OpenFile)=", re.M)

Make = Callable[..., Instance]


@pytest.fixture
def make(site: Site, declare: Callable[..., Path]) -> Make:
    """The instance of a declaration."""

    def instance(text: str = "") -> Instance:
        declare("team-a", f"ensure: present\n{text}")
        made, _ = site._prepare(site.load("team-a"))
        return made

    return instance


def lines(text: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


def drop_in(instance: Instance, name: str) -> str:
    which = next(daemon for daemon in instance.daemons if daemon.name == name)
    return drop_ins.daemon(instance, which)


# Templates.


def test_every_daemon_has_a_template() -> None:
    assert {path.name for path in SHIPPED.glob("airflow-*@.service")} >= {
        f"airflow-{name}@.service" for name in DAEMONS
    }


@pytest.mark.parametrize("name", [path.stem for path in SHIPPED.glob("*@.timer")])
def test_what_a_timer_starts_may_be_started_by_hand_as_well(name: str) -> None:
    """systemd fails a unit that is started more than five times within ten seconds."""
    text = (SHIPPED / f"{name}.service").read_text(encoding="utf-8")
    head, _, _ = text.partition("[Service]")
    assert lines(head, "StartLimitIntervalSec") == ["0"]


@pytest.mark.parametrize("name", DAEMONS)
def test_templates(name: str) -> None:
    text = (SHIPPED / f"airflow-{name}@.service").read_text("utf-8")
    assert not TOO_NEW.search(text)
    # Never as root, even where no drop-in was rendered.
    assert lines(text, "User") == ["airflow-%i"]
    assert lines(text, "PartOf") == ["airflow@%i.service"]
    assert "airflow@%i.service" in lines(text, "After")
    assert lines(text, "KillMode") == ["mixed"]
    assert lines(text, "Restart") == ["always"]
    assert lines(text, "UMask") == ["0027"]
    assert lines(text, "SyslogIdentifier") == [f"airflow-{name}@%i"]
    # One directory is one unit's: it vanishes with it.
    assert lines(text, "RuntimeDirectory") == [f"airflow-{name}@%i"]
    assert "start_gate.py %i" in lines(text, "ExecStartPre")[0]
    for key in ("LogRateLimitBurst", "TimeoutStopSec", "TasksMax", "LimitNOFILE"):
        assert lines(text, key), key
    # What is wrong in a template is said by systemd in the container only.
    words = re.findall(r"^(\w+)=", text, re.M)
    assert len(words) > 40


@pytest.mark.parametrize("name", DAEMONS)
def test_templates_say_what_the_table_says(name: str) -> None:
    """The template alone runs the default installation; the table has the words."""
    text = (SHIPPED / f"airflow-{name}@.service").read_text("utf-8")
    daemon = next(daemon for daemon in versions.table().daemons if daemon.name == name)
    words = daemon.commands[0][1]
    expected = " ".join([*daemon.through, "/usr/lib/airflow/bin/airflow", *words])
    assert lines(text, "ExecStart") == [expected]


# Drop-ins.


def test_supervisors_of_tasks_see_each_other(make: Make) -> None:
    """Those of Airflow 3 are not dumpable, and vanish from a /proc that hides what is not."""
    new = make("installation: /usr/lib/airflow-3.3\n")
    assert lines(drop_in(new, "scheduler"), "ProtectProc") == ["default"]
    assert lines(drop_in(new, "api-server"), "ProtectProc") == []
    assert lines(drop_in(make(), "scheduler"), "ProtectProc") == []


def test_drop_in(make: Make) -> None:
    text = drop_in(make("installation: /usr/lib/airflow-2.1\nservice_user: team\n"), "webserver")
    assert lines(text, "User") == lines(text, "Group") == ["team"]
    assert lines(text, "WorkingDirectory") == ["/srv/airflow-team-a"]
    assert lines(text, "EnvironmentFile") == ["", "/etc/airflow/environment.d/team-a.env"]
    assert lines(text, "ReadWritePaths") == ["/srv/airflow-team-a"]
    # The first empties what the template says.
    assert lines(text, "ExecStart") == [
        "",
        "/usr/bin/env --ignore-signal=CHLD /usr/lib/airflow-2.1/bin/airflow webserver "
        "--pid %t/airflow-webserver@%i/airflow.pid",
    ]
    assert "ProtectHome" not in text


@pytest.mark.parametrize(
    ("version", "words"),
    [("2.1.0", None), ("2.2.5", "triggerer"), ("2.7.3", "triggerer --skip-serve-logs")],
)
def test_arguments_are_the_versions_own(version: str, words: str | None) -> None:
    found = {
        daemon.name: " ".join(daemon.command(versions.parse(version)))
        for daemon in versions.table().daemons_of(versions.parse(version), frozenset())
    }
    assert found.get("triggerer") == words
    assert found["scheduler"] == "scheduler --skip-serve-logs"


@pytest.mark.parametrize(
    ("declared", "protection"),
    [
        ("airflow_home: /home/team/airflow\n", ["read-only"]),
        ("environment_extra:\n  PYTHONPATH: /opt/x:/home/team/git\n", ["read-only"]),
        ("airflow_config:\n  core:\n    dags_folder: /home/team/dags\n", ["read-only"]),
        ("airflow_home: /data/homes/team\n", []),
        ("airflow_home: /srv/home\n", []),
    ],
)
def test_homes_are_seen_where_they_are_needed_only(
    declared: str, protection: list[str], make: Make
) -> None:
    assert lines(environment.drop_in(make(declared)), "ProtectHome") == protection


def test_logs_elsewhere_can_be_written(make: Make) -> None:
    def paths(folder: str) -> list[str]:
        text = f'airflow_config:\n  logging:\n    base_log_folder: "{folder}"\n'
        return lines(environment.drop_in(make(text)), "ReadWritePaths")

    assert paths("/data/logs 100%") == ["/srv/airflow-team-a", '-"/data/logs 100%%"']
    assert paths("/srv/airflow-team-a/logs/x") == ["/srv/airflow-team-a"]
    with pytest.raises(DeclarationError, match="base_log_folder"):
        paths("/data/it's")


def test_what_an_executor_needs_is_waited_for(make: Make) -> None:
    text = drop_in(make(), "scheduler")
    assert lines(text, "ExecStop")[0].endswith("/inside/finish_task.py $MAINPID")
    assert lines(text, "SuccessExitStatus") == ["SIGKILL"]
    local = make("db: postgresql\nairflow_config: {core: {executor: LocalExecutor}}\n")
    text = drop_in(local, "scheduler")
    assert lines(text, "ExecStop")[0].endswith("/inside/finish_start.py $MAINPID")
    assert lines(text, "SuccessExitStatus") == []
    assert lines(drop_in(make(), "webserver"), "ExecStop") == []
    new = drop_in(make("db: postgresql\ninstallation: /usr/lib/airflow-3.3\n"), "scheduler")
    assert lines(new, "ExecStop")[0].endswith("/inside/end_workers.py $MAINPID")
    assert lines(new, "SuccessExitStatus") == []


def test_the_whole_wants_exactly_its_daemons(make: Make) -> None:
    text = drop_ins.whole(make("airflow_config: {core: {security: kerberos}}\n"))
    assert lines(text, "Wants") == [
        "airflow-webserver@team-a.service airflow-scheduler@team-a.service "
        "airflow-triggerer@team-a.service airflow-kerberos@team-a.service"
    ]


def test_start_mode_is_a_link(run: Run, root: Path) -> None:
    link = root / "etc/systemd/system/airflow.service.wants/airflow@a.service"
    assert run("create", "a") == 0
    assert link.readlink() == Path("/lib/systemd/system/airflow@.service")
    assert run("disable", "a") == 0
    assert not link.is_symlink()
    assert run("disable", "a") == 2
    assert "start: disabled\n" in (root / "etc/airflow/instances.d/a.yaml").read_text()
    assert run("disable", "--manual", "a") == 0
    assert not link.is_symlink()
    assert run("enable", "a", "--dry-run") == 0
    assert not link.is_symlink()
    assert run("enable", "a") == 0
    assert link.is_symlink()
    assert run("enable", "a") == 2
    assert run("set", "a", "ensure=absent", "--apply") == 0
    assert not link.is_symlink()
    assert not (root / "etc/systemd/system/airflow@a.service.d/10-instance.conf").exists()


# The gate.


class Time:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.time = 10_000.0
        self.pauses: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds


def test_crash_loops_get_slow_and_then_forgotten() -> None:
    now, stamps, starts = 0.0, list[float](), 0
    for _ in range(40):
        now += prestart.pause(stamps, now) + 2.0
        stamps.append(now)
        starts += now < 3600
    assert starts < 25
    assert prestart.pause(stamps, now) == 300 >= prestart.pause(stamps, now + 900)
    assert prestart.pause(stamps, now + prestart.LATELY) == 0
    # One crash now and then costs nothing.
    assert prestart.pause([1.0], 2.0) == 0
    # A clock that was set back does not hold anything up for ever.
    assert prestart.pause([1e9] * 9, 2.0) == 0


def test_a_database_that_comes_back_is_noticed_soon() -> None:
    clock = Time()
    said: list[str] = []
    start = clock.now()
    prestart.wait_for(
        lambda: "refused" if clock.now() - start < 1000 else "",
        said.append,
        prestart.Clock(clock.now, clock.sleep),
        1800,
    )
    assert clock.now() - start < 1020
    assert max(clock.pauses) <= 15
    assert clock.pauses[:4] == [1, 2, 4, 8]
    # A line now and then, not one for each question.
    assert len(said) < 8
    assert said[0] == "waiting for the database: refused"


def test_a_database_that_stays_away_is_given_up() -> None:
    clock = Time()
    with pytest.raises(prestart.Refused, match=r"gave up.*refused") as caught:
        prestart.wait_for(
            lambda: "refused", lambda text: None, prestart.Clock(clock.now, clock.sleep), 60
        )
    assert caught.value.status == prestart.NOT_NOW
    assert sum(clock.pauses) == pytest.approx(60, abs=1)


class Gate(prestart.Gate):
    """A gate whose database says what a test wants."""

    answer = probe.Answer()

    def ask(self, queries: object) -> probe.Answer:
        return self.answer


@pytest.fixture
def gate(site: Site, run: Run, root: Path, tmp_path: Path) -> Gate:
    """That of an applied instance."""
    assert run("create", "a") == 0
    python = root / "usr/lib/airflow/bin/python"
    python.write_text("")
    python.chmod(0o755)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    variables = {
        "AIRFLOW_HOME": str(root / "srv/airflow-a"),
        "PATH": f"{root}/usr/lib/airflow/bin:/bin",
        "RUNTIME_DIRECTORY": str(runtime),
    }
    clock = Time()
    os.utime(root / "srv/airflow-a/airflow.cfg", (9000, 9000))
    found = Gate(site, "a", variables, prestart.Clock(clock.now, clock.sleep))
    found.schema = lambda: None  # type: ignore[method-assign]
    return found


def test_the_gate_opens_and_clears_the_way(gate: Gate) -> None:
    assert gate.runtime is not None
    (gate.runtime / "airflow.pid").write_text("1\n")
    (gate.runtime / "failures").write_text("1\n9990\n")
    gate.run(database=True)
    assert not (gate.runtime / "airflow.pid").exists()
    assert (gate.runtime / "failures").read_text() == "9990\n"


def test_a_new_configuration_is_a_new_chance(gate: Gate) -> None:
    assert gate.runtime is not None
    (gate.runtime / "failures").write_text("9990\n" * 8)
    assert len(gate.recall()) == 8
    os.utime(gate.home / "airflow.cfg", (9995, 9995))
    assert gate.recall() == []


def test_waiting_in_vain_is_no_crash(gate: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate.runtime is not None
    gate.answer = probe.Answer(unreachable="refused")
    with pytest.raises(prestart.Refused):
        gate.run(database=True)
    # ExecStopPost= counts it, as it counts everything.
    (gate.runtime / "failures").write_text(f"{gate.clock.now():.0f}\n")
    assert gate.recall() == []
    assert "waiting for the database: refused" in capsys.readouterr().err
    gate.run(database=False)


def test_broken_memory_holds_nothing_up(gate: Gate) -> None:
    assert gate.runtime is not None
    (gate.runtime / "failures").write_text("nonsense\n")
    assert gate.recall() == []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda home, lib: (home / "airflow.cfg").unlink(), "airflow.cfg: No such file"),
        (lambda home, lib: (lib / "bin/airflow").unlink(), "there is no Airflow in"),
    ],
)
def test_the_gate_says_what_is_missing(
    damage: Callable[[Path, Path], None], message: str, gate: Gate, root: Path
) -> None:
    damage(gate.home, root / "usr/lib/airflow")
    with pytest.raises(prestart.Refused, match=message) as caught:
        gate.run(database=True)
    assert caught.value.status == prestart.NOT_SO


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (heads.FRESH, "is empty; sudo airflow-instance migrate a"),
        (heads.PENDING, "has to be migrated; sudo airflow-instance migrate a"),
        (heads.AHEAD, "is newer than Airflow 2.11.2"),
    ],
)
def test_the_gate_knows_the_schema(
    state: str,
    message: str,
    gate: Gate,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged = []

    def judge(instance: Instance, answer: object) -> heads.Schema:
        judged.append(instance.installation.prefix)
        return heads.Schema(state)

    monkeypatch.setattr(heads, "judge", judge)
    gate.bin_dir = Path("/usr/lib/airflow/bin")
    with pytest.raises(prestart.Refused, match=message):
        prestart.Gate.schema(gate)
    # Declared for another installation, and not applied: that is not what starts here.
    gate.bin_dir = Path("/usr/lib/airflow-2.1/bin")
    with pytest.raises(prestart.Refused):
        prestart.Gate.schema(gate)
    assert judged == ["/usr/lib/airflow", "/usr/lib/airflow-2.1"]


def test_the_gate_needs_no_declaration(gate: Gate, root: Path) -> None:
    """A file that an editor has left half written must not keep daemons down."""
    Layout(root).instance_file("a").write_text("nonsense: [\n")
    prestart.Gate.schema(gate)
    gate.run(database=True)

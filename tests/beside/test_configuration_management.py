"""The Puppet module and the Ansible role of the package, each run again and again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.host.instances import Host, Instance
from tests.host.lab import Lab
from tests.host.managers import MANAGERS, Manager, Run
from tests.host.registry import scenario

TEAMS = {"puppet": "analytics", "ansible": "reports"}
# One that YAML takes for a number, one that needs quotes everywhere; each team's own, since
# what one team leaves behind stays on the host of both.
SECRETS = {
    "puppet": ("0918273645", "a \"b\" 'c' 50% \\d: #é"),
    "ansible": ("0546372819", "f \"e\" 'd' 40% \\c: #è"),
}
MAIL = "airflow@example.org"
# Where a secret may be at all.
PLACES = "/etc /home /root /run /srv /tmp /usr/local /var"


@dataclass
class Story:
    """What each run did, and how things were after it."""

    tool: str
    team: Instance
    runs: dict[str, Run] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


def parameters(**more: Any) -> dict[str, Any]:
    """Of an instance; the same text twice, and one that looks like a number."""
    options = {"core": {"parallelism": 4}, "smtp": {"smtp_mail_from": MAIL}}
    options["email"] = {"from_email": MAIL}
    return {"create_user": True, "description": "0755", "airflow_config": options, **more}


def password(secret: str) -> dict[str, Any]:
    return {"airflow_config": {"smtp": {"smtp_password": secret}}}


def holders(team: Instance, secret: str) -> list[str]:
    """The files of the host that hold ``secret``, as it is or as YAML and a cfg write it."""
    script = f"printf '%s\\n' \"$@\" | grep -rlaFI --devices=skip -f - {PLACES} || [ $? = 1 ]"
    written = (secret, secret.replace("\\", "\\\\").replace('"', '\\"'), secret.replace("%", "%%"))
    done = team.machine.call(["sh", "-euc", script, "sh", *written])
    return sorted(done.stdout.split())


def revision(team: Instance, other: str = "") -> str:
    """The revision of its database, after it was made ``other``."""
    script = (
        "import sqlite3, sys; base = sqlite3.connect(sys.argv[1], timeout=300);"
        "new = sys.argv[2:];"
        "new and base.execute('UPDATE alembic_version SET version_num = ?', new); base.commit();"
        "print(base.execute('SELECT version_num FROM alembic_version').fetchone()[0])"
    )
    words = [
        "/usr/bin/python3",
        "-c",
        script,
        f"{team.home}/airflow.db",
        *([other] if other else []),
    ]
    return team.as_user(*words).stdout.strip()


def pids(team: Instance) -> list[int]:
    return [team.pid(daemon) for daemon in team.daemons]


@scenario("managed_layer")
def stories(lab: Lab) -> dict[str, Story]:
    """Both on one host, an instance each; the first also has the site's defaults."""
    machine = lab.machine("managed", lab.result("managed_layer"))
    host = Host(lab, machine, tuned=False)
    found = {}
    for name, manager in MANAGERS.items():
        found[name] = Story(name, host.instance(TEAMS[name]))
        tell(lab, manager(machine), found[name], SECRETS[name])
    return found


def tell(lab: Lab, manager: Manager, story: Story, secrets: tuple[str, str]) -> None:
    """All runs of one of the two: its first secret, then the other one."""
    team, name, notes = story.team, story.team.name, story.notes
    tuned = lab.expected["instances"]

    def run(what: str, secret: str, **more: Any) -> None:
        manager.declare({name: parameters(**more)}, {name: password(secret)}, tuned)
        story.runs[what] = manager.run()

    run("first", secrets[0])
    assert not story.runs["first"].failed, story.runs["first"].said
    team.wait_for_web()
    notes["password"] = team.airflow("config", "get-value", "smtp", "smtp_password").stdout
    files = [f"/etc/airflow/{kind}.d/{name}.yaml" for kind in ("instances", "secrets")]
    notes["modes"] = team.machine.call(["stat", "-c", "%a %U:%G", *files]).stdout.split("\n")
    notes["shown"] = team.shown["settings"]
    run("second", secrets[0])

    notes["first secret"] = holders(team, secrets[0])
    run("other secret", secrets[1])
    notes["first secret later"] = holders(team, secrets[0])
    notes["other secret"] = holders(team, secrets[1])
    team.wait_for_web()
    notes["other password"] = team.airflow("config", "get-value", "smtp", "smtp_password").stdout

    cfg = f"{team.home}/airflow.cfg"
    text = team.machine.read(cfg)
    team.machine.shell(f"sed -i 's/^parallelism = 4$/parallelism = 400/' {cfg}")
    assert team.machine.read(cfg) != text
    run("drift", secrets[1])
    notes["mended"] = team.machine.read(cfg) == text

    head = revision(team)
    revision(team, lab.expected["replayable"])
    run("pending", secrets[1])
    notes["pending"] = revision(team)
    revision(team, head)

    before = pids(team)
    run("mistake", secrets[1], colour="red")
    notes["undisturbed"] = (before, pids(team))

    run("absent", secrets[1], ensure="absent")
    run("absent again", secrets[1], ensure="absent")
    there = f"ls -d /srv/airflow-{name}/airflow.db /usr/local/bin/airflow-{name}"
    notes["left"] = team.machine.shell(there, check=False).stdout.split()


@pytest.fixture(params=list(MANAGERS))
def story(request: pytest.FixtureRequest, stories: dict[str, Story]) -> Story:
    return stories[request.param]


def test_a_new_instance_runs_after_the_first_run(story: Story) -> None:
    """Declared, applied, its tables made, started: nobody has typed anything."""
    first = story.runs["first"]
    assert (first.changed, first.failed) == (True, False), first.said


@pytest.mark.parametrize("again", ["second", "absent again"])
def test_the_second_run_changes_nothing(story: Story, again: str) -> None:
    run = story.runs[again]
    assert (run.changed, run.failed) == (False, False), run.said


def test_texts_stay_texts(story: Story) -> None:
    """And are there as often as they were said: without YAML's references."""
    shown = story.notes["shown"]
    assert shown["description"]["value"] == "0755"
    mails = ("airflow_config.smtp.smtp_mail_from", "airflow_config.email.from_email")
    assert [shown[key]["value"] for key in mails] == [MAIL, MAIL]
    assert shown["airflow_config.core.parallelism"]["value"] == 4


def test_secrets_arrive(story: Story) -> None:
    first, other = SECRETS[story.tool]
    assert story.notes["password"] == f"{first}\n"
    assert story.notes["other password"] == f"{other}\n"


def test_declarations_are_for_all_and_secrets_for_root(story: Story) -> None:
    assert story.notes["modes"][:2] == ["644 root:root", "600 root:root"]


def test_secrets_are_in_no_log_and_no_other_file(story: Story) -> None:
    """Not in what is said with all words, in no report, no cache and no copy of an old file."""
    allowed = {
        f"/etc/airflow/secrets.d/{story.team.name}.yaml",
        f"/srv/airflow-{story.team.name}/airflow.cfg",
        *MANAGERS[story.tool].vault,
    }
    assert set(story.notes["other secret"]) == allowed
    assert set(story.notes["first secret"]) == allowed
    assert story.notes["first secret later"] == []
    for run in story.runs.values():
        assert [secret for secret in SECRETS[story.tool] if secret in run.said] == []


def test_a_change_is_brought_about(story: Story) -> None:
    run = story.runs["other secret"]
    assert (run.changed, run.failed) == (True, False), run.said


def test_what_was_changed_by_hand_is_mended(story: Story) -> None:
    assert story.runs["drift"].changed, story.runs["drift"].said
    assert story.notes["mended"]


def test_no_migration_is_begun(story: Story, lab: Lab) -> None:
    """A database with data waits for a person."""
    run = story.runs["pending"]
    assert (run.changed, run.failed) == (False, False), run.said
    assert story.notes["pending"] == lab.expected["replayable"]


def test_a_mistake_fails_with_the_tools_own_words(story: Story) -> None:
    """And what runs goes on."""
    run = story.runs["mistake"]
    assert run.failed
    assert f"/etc/airflow/instances.d/{story.team.name}.yaml" in run.said
    assert "colour" in run.said
    before, after = story.notes["undisturbed"]
    assert before == after
    assert 0 not in before


def test_absent_takes_it_away_and_leaves_its_data(story: Story) -> None:
    assert story.runs["absent"].changed, story.runs["absent"].said
    assert story.notes["left"] == [f"/srv/airflow-{story.team.name}/airflow.db"]

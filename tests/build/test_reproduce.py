"""`make reproduce`: that it varies what it says, passes what is the same, and finds a cause."""

from __future__ import annotations

import shutil
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_deb import circumstances, container, record, reproduce, settings
from airflow_deb.binary import INSTANCES
from airflow_deb.circumstances import OTHER, USUAL, Circumstances
from airflow_deb.container import Bind, Spec
from airflow_deb.errors import AirflowDebError
from airflow_deb.paths import Paths
from airflow_deb.reproduce import Build

PROJECT = Path(__file__).resolve().parents[2]
SETTINGS = settings.read({"VERSION": "2.1.0", "SUITE": "bullseye", "PACKAGE": "airflow-instances"})
LOOK = r"""
import locale, os, pwd, socket, time
locale.setlocale(locale.LC_ALL, "")
os.mkdir("many")
for number in range(50):
    open(f"many/{number}", "w").close()
orders = [os.listdir("many") for _ in range(2)]
umask = os.umask(0)
print([
    os.getcwd(), socket.gethostname(), os.environ["HOME"], pwd.getpwuid(os.geteuid()).pw_name,
    time.strftime("%z"), locale.getlocale()[0], oct(umask), len(os.sched_getaffinity(0)),
    int(time.time()), orders[0] != orders[1],
])
"""


def seen(around: Circumstances, root: Path, scratch: Path) -> list[object]:
    """What a program inside sees of where, when and who it is."""
    spec = Spec(
        name="airflow-deb-test",
        layers=(root,),
        scratch=scratch / "look",
        binds=(
            Bind(scratch / "look/tree", around.build, read_only=False, shuffled=around.shuffled),
            *around.binds,
        ),
        env=around.environment(),
        workdir=around.build,
        hostname=around.hostname,
    )
    container.prepare(spec)
    (scratch / "look/tree").mkdir()
    (scratch / "look/tree").chmod(0o777)
    done = container.again(spec, around.wrap(["python3", "-c", LOOK]))
    return list(eval(done.stdout))  # noqa: S307 - a list that we have printed


def test_a_build_sees_all_that_is_varied(root: Path, scratch: Path) -> None:
    usual = seen(USUAL, root, scratch)
    other = seen(circumstances.aided(OTHER, root, scratch / "aids"), root, scratch)
    names = [
        "directory",
        "hostname",
        "home",
        "user",
        "timezone",
        "language",
        "umask",
        "processors",
        "now",
        "order",
    ]
    same = [name for name, one, two in zip(names, usual, other, strict=True) if one == two]
    assert not same, usual
    assert other[-2] - time.time() > 460 * 86400  # type: ignore[operator]


@pytest.fixture
def checkout(scratch: Path, places: Paths) -> Iterator[Paths]:
    """A copy of this checkout; a cache beside the real one, with the same roots."""
    own = Paths(scratch / "checkout", scratch / "cache")
    for name in ("build", "debian", "requirements", "scripts"):
        shutil.copytree(
            PROJECT / name, own.project / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(PROJECT / "versions.sh", own.project)
    own.cache.mkdir()
    own.roots.symlink_to(places.roots)
    yield replace(own, cache=places.cache)


def both(checkout: Paths, scratch: Path) -> tuple[Build, Build]:
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    return reproduce.twice(checkout, SETTINGS, uv, scratch / "twice", scratch / "cache")


def judge(builds: tuple[Build, Build], scratch: Path) -> None:
    reproduce.judge(*builds, [INSTANCES], scratch / "report", scratch / "compared")


def test_two_builds_are_the_same(
    checkout: Paths, scratch: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    builds = both(checkout, scratch)
    assert builds[0].package(INSTANCES) != builds[1].package(INSTANCES)
    judge(builds, scratch)
    assert f"both builds have the sha256 {builds[0].sha256(INSTANCES)}" in capsys.readouterr().out
    assert not (scratch / "report").exists()

    # What was built before is a third witness; here it is the first one's.
    shutil.copytree(builds[0].paths.dist, checkout.dist)
    reproduce.published(checkout, builds[0], INSTANCES)
    assert "and so has the one in dist/" in capsys.readouterr().out
    old = builds[0].sha256(INSTANCES)
    made = record.path(checkout.dist, builds[0].recipe.cell, INSTANCES)
    made.write_text(made.read_text(encoding="utf-8").replace(old, "0" * 64), encoding="utf-8")
    (info,) = checkout.dist.rglob("*.buildinfo")
    text = info.read_text(encoding="utf-8")
    (adduser,) = (line for line in text.splitlines() if " root/adduser_" in line)
    other = adduser.replace(adduser.split()[0], "1" * 64)
    info.write_text(text.replace(adduser, other), encoding="utf-8")
    with pytest.raises(AirflowDebError, match="in dist/ has another sha256, 0000"):
        reproduce.published(checkout, builds[0], INSTANCES)
    said = [line for line in capsys.readouterr().out.splitlines() if " root/" in line]
    assert len(said) == 1
    assert "root/adduser_" in said[0]
    assert "1" * 64 in said[0]


def test_what_depends_on_the_build_is_found(checkout: Paths, scratch: Path) -> None:
    """The manual page tells where it was made: that is the cause; md5sums follows."""
    rules = checkout.project / "debian/rules"
    text = rules.read_text(encoding="utf-8")
    line = "\tcp debian/airflow-instances.clean_logs.1 debian/made/clean_logs.1\n"
    assert line in text
    added = '\techo ".\\\\\\" made on $$(hostname) in $$(date +%Y)" >> debian/made/clean_logs.1\n'
    rules.write_text(text.replace(line, line + added), encoding="utf-8")
    with pytest.raises(AirflowDebError, match="two builds of airflow-instances") as caught:
        judge(both(checkout, scratch), scratch)
    assert caught.value.status == 1
    report = (scratch / "report").read_text(encoding="utf-8")
    assert report.splitlines()[:3] == [
        "airflow-instances: 1 more files that follow from these",
        "usr/share/man/man1/clean_logs.1.gz differs",
        "",
    ]
    assert "made on airflow-deb in" in report
    assert "made on elsewhere in" in report

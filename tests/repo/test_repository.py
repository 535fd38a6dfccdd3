"""`make repo`, `make promote` and `make retract` with the real aptly and gpg: what is published."""

from __future__ import annotations

import datetime
import fcntl
import os
import re
import stat
from pathlib import Path

import pytest
from tests.repo import standin
from tests.repo.conftest import VERSIONS, NewWorkshop, take
from tests.repo.whole import require_whole
from tests.repo.workshop import Workshop, packages

from airflow_deb import companions
from airflow_deb.binary import AIRFLOW, INSTANCES
from airflow_deb.companions import beside
from airflow_deb.repository import KEYRING
from airflow_deb.versions import Matrix

FIRST = "2.1.0-1~deb11u1"
BULLSEYE = [f"airflow {FIRST}", f"airflow-instances {FIRST}"]


def test_the_first_time(new_workshop: NewWorkshop, built: Path) -> None:
    """With make, as the README has it: all suites, signed by a key that is made and said."""
    here = new_workshop()
    for suite, (version, *_) in VERSIONS.items():
        take(built, here, suite, version)
    done = here.make("repo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "made a development key to sign with" in done.stdout
    assert packages(here.repo, "bullseye") == BULLSEYE
    assert packages(here.repo, "bookworm") == [
        "airflow 2.11.1-1~deb12u1",
        "airflow-instances 2.11.1-1~deb12u1",
    ]
    assert len(packages(here.repo, "trixie")) == 2
    for suite in VERSIONS:
        assert packages(here.repo, f"{suite}-testing") == []
        release = (here.repo / "dists" / suite / "Release").read_text(encoding="utf-8")
        assert {"Acquire-By-Hash: yes", "Components: main", f"Codename: {suite}"} <= set(
            release.splitlines()
        )
    assert "BEGIN PGP PUBLIC KEY BLOCK" in (here.repo / KEYRING).read_text(encoding="utf-8")
    require_whole(here)
    assert sorted(path.name for path in (here.repo / "buildinfo").iterdir()) == sorted(
        path.name for suite in VERSIONS for path in (here.dist / suite).glob("*.buildinfo")
    )


def test_everybody_may_read_what_is_published_and_nobody_the_key(
    new_workshop: NewWorkshop, built: Path
) -> None:
    here = new_workshop()
    take(built, here, "bullseye", "2.1.0")
    before = os.umask(0o077)
    try:
        here.done("repo")
    finally:
        os.umask(before)
    for path in [here.repo, *here.repo.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        wanted = 0o755 if path.is_dir() else 0o444
        assert mode & wanted == wanted, path
    secret = here.home / "data" / "airflow-deb" / "signing"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o700


def test_again_is_the_same_but_valid_for_longer(shop: Workshop) -> None:
    before = {suite: packages(shop.repo, suite) for suite in VERSIONS}
    said = shop.done("repo", VALID_DAYS="30")
    assert "there already: 6 packages" in said
    assert {suite: packages(shop.repo, suite) for suite in VERSIONS} == before
    release = (shop.repo / "dists" / "trixie" / "Release").read_text(encoding="utf-8")
    made, until = (
        datetime.datetime.strptime(found[1], "%a, %d %b %Y %H:%M:%S UTC")
        for field in ("Date", "Valid-Until")
        if (found := re.search(rf"^{field}: (.*)$", release, re.MULTILINE))
    )
    assert until - made == datetime.timedelta(days=30)
    require_whole(shop)


def test_every_version_is_kept(shop: Workshop, built: Path) -> None:
    """Two Airflows bring two airflow-instances; both stay, whatever dist/ has by then."""
    take(built, shop, "bullseye", "2.1.4")
    shop.done("repo")
    for path in (shop.dist / "bullseye").iterdir():
        path.unlink()
    take(built, shop, "bullseye", "2.10.5")
    shop.done("repo")
    assert packages(shop.repo, "bullseye") == [
        f"{name} {version}-1~deb11u1"
        for name in ("airflow", "airflow-instances")
        for version in ("2.1.0", "2.1.4", "2.10.5")
    ]
    require_whole(shop)


def test_the_indices_before_are_there_for_who_is_at_them(shop: Workshop, built: Path) -> None:
    """A host that has read the old InRelease finds what it names, by hash; older ones go."""
    index = shop.repo / "dists" / "bullseye" / "main" / "binary-amd64"
    hashes = []
    for version in ("2.1.4", "2.10.5", "2.10.5"):
        found = re.search(r"^ (\w{128}) +\d+ \S+/Packages.gz$", text(shop, "bullseye"), re.M)
        assert found
        hashes.append(found[1])
        take(built, shop, "bullseye", version)
        shop.done("repo")
        assert (index / "by-hash" / "SHA512" / hashes[-1]).is_file()
    assert not (index / "by-hash" / "SHA512" / hashes[0]).exists()


def test_what_verifies_a_package_is_published_and_retracted_with_it(
    shop: Workshop, built: Path
) -> None:
    take(built, shop, "bullseye", "2.1.4")
    deb = shop.dist / "bullseye" / "airflow_2.1.4-1~deb11u1_amd64.deb"
    for suffix in companions.ALL:
        beside(deb, suffix).write_text(suffix, encoding="utf-8")
    own = [
        beside(deb, s) for s in (".buildinfo", ".changes", companions.SBOM, companions.PROVENANCE)
    ]
    sums = {path.name: companions.sha256(path) for path in (deb, *own)}
    beside(deb, companions.SUMS).write_text(companions.render(sums), encoding="utf-8")
    shop.done("repo")
    own += [beside(deb, suffix) for suffix in (companions.SUMS, companions.SIGNATURE)]
    for path in own:
        assert (shop.repo / "buildinfo" / path.name).read_bytes() == path.read_bytes()
    shop.done("repo")
    assert all((shop.repo / "buildinfo" / path.name).is_file() for path in own)
    shop.done("retract", VERSION="2.1.4")
    assert not list((shop.repo / "buildinfo").glob("*2.1.4*"))
    assert (shop.repo / "buildinfo" / "airflow_2.1.0-1~deb11u1_amd64.buildinfo").is_file()


def text(here: Workshop, distribution: str) -> str:
    return (here.repo / "dists" / distribution / "Release").read_text(encoding="utf-8")


def test_promote_moves_a_version_with_all_its_packages(shop: Workshop, built: Path) -> None:
    for suite in ("bullseye", "bookworm"):
        take(built, shop, suite, "2.1.4", "2.11.2")
    shop.done("repo", TO="testing")
    assert packages(shop.repo, "bullseye") == BULLSEYE
    tested = packages(shop.repo, "bookworm-testing")
    assert tested == [
        f"{name} 2.11.2-1~deb12u1" for name in ("airflow", "airflow-2.11", "airflow-instances")
    ]
    shop.done("repo")  # What is in testing is not brought to stable by publishing again.
    assert packages(shop.repo, "bookworm-testing") == tested

    done = shop.make("promote", FROM="testing", TO="stable", VERSION="2.11.2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert packages(shop.repo, "bookworm-testing") == []
    assert set(tested) < set(packages(shop.repo, "bookworm"))
    assert len(packages(shop.repo, "bullseye-testing")) == 2
    require_whole(shop)
    assert "nothing to do: 3 packages are so already" in shop.done("promote", VERSION="2.11.2")
    shop.done("promote", VERSION="2.11.2-1~deb12u1", FROM="stable", TO="testing")
    assert packages(shop.repo, "bookworm-testing") == tested


def test_retract_takes_back_for_good(shop: Workshop, built: Path) -> None:
    take(built, shop, "bullseye", "2.1.4")
    shop.done("repo")
    done = shop.make("retract", VERSION="2.1.4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert packages(shop.repo, "bullseye") == BULLSEYE
    left = [path.name for path in shop.repo.rglob("*2.1.4*")]
    assert left == []
    require_whole(shop)
    assert "nothing to do" in shop.done("retract", VERSION="2.1.4")

    assert "left out: airflow_2.1.4-1~deb11u1_amd64.deb: retracted on" in shop.done("repo")
    assert packages(shop.repo, "bullseye") == BULLSEYE
    shop.done("repo", VERSION="2.1.4")
    assert len(packages(shop.repo, "bullseye")) == 4
    require_whole(shop)


def test_the_last_version_can_be_retracted(shop: Workshop) -> None:
    """The suite stays, empty: hosts still have a valid index."""
    shop.done("retract", VERSION="2.1.0", SUITE="bullseye")
    assert packages(shop.repo, "bullseye") == []
    require_whole(shop)


@pytest.mark.parametrize("retracted", [False, True], ids=["published", "retracted"])
def test_the_same_version_with_other_bytes_is_refused(
    shop: Workshop, matrix: Matrix, retracted: bool
) -> None:
    if retracted:
        shop.done("retract", VERSION="2.1.0")
    cell = standin.cell(matrix, "bullseye", "2.1.0")
    standin.build(shop.dist, cell, INSTANCES, content="another")
    before = shop.files()
    done = shop.builder("repo", VERSION="2.1.0")
    assert done.returncode == 7
    assert done.stderr.count("\n") == 1
    assert "is not what was published as airflow-instances_2.1.0-1~deb11u1_all.deb" in done.stderr
    assert "revision=" in done.stderr
    assert shop.files() == before
    # With another revision it is another version.
    for path in (shop.dist / "bullseye").iterdir():
        path.unlink()
    standin.build(shop.dist, standin.cell(matrix, "bullseye", "2.1.0", 2), INSTANCES)
    shop.done("repo")
    assert "airflow-instances 2.1.0-2~deb11u1" in packages(shop.repo, "bullseye")


def test_what_fast_has_built_is_left_out(shop: Workshop, matrix: Matrix) -> None:
    cell = standin.cell(matrix, "bullseye", "2.1.4")
    standin.build(shop.dist, cell, AIRFLOW, method="none")
    assert "left out: airflow_2.1.4-1~deb11u1_amd64.deb: built with FAST=1" in shop.done("repo")
    assert packages(shop.repo, "bullseye") == BULLSEYE
    shop.done("repo", FAST="1")
    assert f"airflow {cell.deb_version}" in packages(shop.repo, "bullseye")


def test_a_dry_run_tells_and_changes_nothing(
    shop: Workshop, built: Path, new_workshop: NewWorkshop
) -> None:
    take(built, shop, "bullseye", "2.1.4")
    before = shop.files()
    name = "airflow_2.1.4-1~deb11u1_amd64.deb"
    assert f"would be added to bullseye: {name}" in shop.done("repo", DRY_RUN="1")
    first = "airflow_2.1.0-1~deb11u1_amd64.deb"
    assert f"would be retracted from bullseye: {first}" in shop.done(
        "retract", VERSION="2.1.0", DRY_RUN="1"
    )
    moved = shop.done("promote", VERSION="2.1.0", FROM="stable", TO="testing", DRY_RUN="1")
    assert f"would be moved to bullseye-testing: {first}" in moved
    assert shop.files() == before
    fresh = new_workshop()
    take(built, fresh, "bullseye", "2.1.0")
    before = fresh.files()
    fresh.done("repo", DRY_RUN="1")
    assert fresh.files() == before


def test_a_repository_can_be_moved(shop: Workshop, built: Path) -> None:
    """No path is in it."""
    where = shop.path / "srv" / "airflow"
    where.parent.mkdir()
    shop.repo.rename(where)
    take(built, shop, "bullseye", "2.1.4")
    shop.done("repo", REPO=str(where))
    assert len(packages(where, "bullseye")) == 4
    require_whole(shop, where)
    assert not shop.repo.exists()


def test_make_clean_leaves_it(shop: Workshop) -> None:
    assert shop.make("clean").returncode == 0
    assert [path.name for path in shop.dist.iterdir()] == ["repo"]
    require_whole(shop)


def test_one_at_a_time(shop: Workshop) -> None:
    with (shop.repo / ".state" / "lock").open("w") as file:
        file.write("process 4242 of somebody since 12:00:00\n")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        done = shop.builder("repo", NO_WAIT="1")
    assert done.returncode == 10
    assert "process 4242 of somebody" in done.stderr


def test_no_secret_is_shown(new_workshop: NewWorkshop, built: Path, tmp_path: Path) -> None:
    """A key in a file is used, and no line of it printed or published."""
    here = new_workshop()
    take(built, here, "bullseye", "2.1.0")
    fingerprint = here.generate("ci <ci@example.org>")
    secret = tmp_path / "secret.asc"
    secret.write_text(here.gpg("--armor", "--export-secret-keys", fingerprint))
    said = here.done("repo", SIGNING_KEY=str(secret))
    lines = [line for line in secret.read_text().splitlines() if len(line) > 40]
    assert lines
    published = [
        path.read_text(errors="replace") for path in here.repo.rglob("*") if path.is_file()
    ]
    assert not any(line in text for line in lines for text in (said, *published))
    assert fingerprint in said
    require_whole(here)

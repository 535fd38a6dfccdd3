"""Packages in dist/ and their papers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from airflow_deb import companions, log, uploads
from airflow_deb.companions import beside
from airflow_deb.errors import HashError, UsageError, VerifyError

STEM = "airflow_2.1.0-1~deb11u1_amd64"
SUITES = ("bullseye", "bookworm")


def package(*members: str) -> bytes:
    """An ar archive with ``members``, as a .deb is one (deb(5))."""
    found = b"!<arch>\n"
    for number, name in enumerate(members, 1):
        content = b"x" * number
        found += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{number:<10}`\n".encode() + content
        found += b"\n" * (number % 2)
    return found


def build(
    dist: Path,
    *,
    stem: str = STEM,
    directory: str = "bullseye",
    suite: str = "bullseye",
    members: Sequence[str] = ("debian-binary", "control.tar.xz", "data.tar.xz"),
) -> Path:
    where = dist / directory
    where.mkdir(parents=True, exist_ok=True)
    files = {f"{stem}.buildinfo": b"Format: 1.0\n", f"{stem}.deb": package(*members)}
    sums = ""
    for name, content in files.items():
        (where / name).write_bytes(content)
        sums += f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}\n"
    (where / f"{stem}.changes").write_text(
        f"Format: 1.8\nDistribution: {suite}\nChecksums-Sha256:\n{sums}Files:\n x 1 y z {stem}\n"
    )
    return where / f"{stem}.deb"


def read(deb: Path) -> uploads.Upload:
    (found,) = uploads.read([deb], log.Step("dist"))
    return found


def test_a_package_with_its_papers(tmp_path: Path) -> None:
    deb = build(tmp_path)
    assert read(deb) == uploads.Upload(
        deb=deb,
        suite="bullseye",
        sha256=hashlib.sha256(deb.read_bytes()).hexdigest(),
        buildinfo=deb.with_suffix(".buildinfo"),
        packed=True,
    )


def companied(tmp_path: Path) -> Path:
    """A package with all that `make deb` leaves beside one."""
    deb = build(tmp_path)
    for suffix in (companions.SBOM, companions.PROVENANCE):
        beside(deb, suffix).write_text(suffix)
    names = [deb.with_suffix(suffix) for suffix in (".deb", ".buildinfo", ".changes")]
    names += [beside(deb, suffix) for suffix in (companions.SBOM, companions.PROVENANCE)]
    sums = {path.name: companions.sha256(path) for path in names}
    beside(deb, companions.SUMS).write_text(companions.render(sums))
    beside(deb, companions.SIGNATURE).write_text("signature")
    return deb


def test_all_that_verifies_a_package_comes_along(tmp_path: Path) -> None:
    """As the sums name .changes, too, `make verify` would miss it."""
    deb = companied(tmp_path)
    found = {path.name for path in read(deb).papers}
    assert found == {path.name for path in deb.parent.iterdir()} - {
        deb.name,
        deb.with_suffix(".buildinfo").name,
    }


@pytest.mark.parametrize("suffix", companions.ALL)
def test_half_of_what_verifies_a_package(tmp_path: Path, suffix: str) -> None:
    deb = companied(tmp_path)
    beside(deb, suffix).unlink()
    with pytest.raises(VerifyError, match=f"has no {STEM}{suffix} beside it"):
        read(deb)


@pytest.mark.parametrize("suffix", [companions.SBOM, companions.PROVENANCE, ".changes"])
def test_what_verifies_a_package_was_changed(tmp_path: Path, suffix: str) -> None:
    deb = companied(tmp_path)
    with beside(deb, suffix).open("a") as file:
        file.write("\n")
    with pytest.raises(HashError, match=f"{STEM}{suffix} has the sha256 .*SHA256SUMS says "):
        read(deb)


@pytest.mark.parametrize(
    ("data", "packed"), [("data.tar.zst", True), ("data.tar", False), ("data.tar/", False)]
)
def test_whether_it_is_packed(tmp_path: Path, data: str, packed: bool) -> None:
    deb = build(tmp_path, members=("debian-binary", "control.tar.zst", data))
    assert read(deb).packed is packed


@pytest.mark.parametrize("members", [[], ["debian-binary", "control.tar"]])
def test_what_is_no_package(tmp_path: Path, members: list[str]) -> None:
    with pytest.raises(VerifyError, match="has no files inside"):
        read(build(tmp_path, members=members))


def test_another_architecture(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="another architecture than amd64 and all"):
        read(build(tmp_path, stem="airflow_2.1.0-1~deb11u1_arm64"))


def test_another_suite(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match=r"was built for bookworm.* move it to \S*/bookworm"):
        read(build(tmp_path, suite="bookworm"))


@pytest.mark.parametrize("ending", ["buildinfo", "changes"])
def test_half_a_build(tmp_path: Path, ending: str) -> None:
    deb = build(tmp_path)
    deb.with_suffix(f".{ending}").unlink()
    with pytest.raises(VerifyError, match=rf"bullseye/{STEM}.deb .*\.{ending} beside it"):
        read(deb)


@pytest.mark.parametrize("ending", ["buildinfo", "deb"])
def test_changed_since_it_was_built(tmp_path: Path, ending: str) -> None:
    deb = build(tmp_path)
    deb.with_suffix(f".{ending}").write_bytes(b"other")
    with pytest.raises(HashError, match=rf"{STEM}.{ending} has the sha256 "):
        read(deb)


@pytest.mark.parametrize(
    "text", ["", "Distribution: bullseye\n", "Distribution: x\nChecksums-Sha256:\n one two\n"]
)
def test_what_is_no_changes(tmp_path: Path, text: str) -> None:
    deb = build(tmp_path)
    deb.with_suffix(".changes").write_text(text)
    with pytest.raises(VerifyError, match=r"is no \.changes of a build"):
        read(deb)


def test_what_is_found_in_dist(tmp_path: Path) -> None:
    """Whole packages below suites; not the repository's own, whose depth is another."""
    first = build(tmp_path)
    other = build(tmp_path, stem="airflow_2.7.3-1~deb12u1_amd64", directory="bookworm")
    (first.parent / f".{STEM}.deb.partial").touch()
    (first.parent / ".hidden.deb").touch()
    pool = tmp_path / "repo" / "pool" / "main"
    pool.mkdir(parents=True)
    (pool / "airflow_1_amd64.deb").touch()

    def find(suite: str = "", version: str = "") -> list[Path]:
        return uploads.find(tmp_path, SUITES, suite=suite, version=version)

    assert find() == [other, first]
    assert find(suite="bookworm") == [other]
    assert find(version="2.1.0") == [first]
    assert find("bookworm", "2.1.0") == []
    assert uploads.find(tmp_path / "none", SUITES, suite="", version="") == []


def test_a_directory_that_is_no_suite(tmp_path: Path) -> None:
    build(tmp_path, directory="forky")
    with pytest.raises(UsageError, match=r"forky is no suite; those of versions\.sh are bullseye"):
        uploads.find(tmp_path, SUITES, suite="", version="")
    assert uploads.find(tmp_path, SUITES, suite="bullseye", version="") == []


@pytest.mark.parametrize(
    ("file", "wanted", "yes"),
    [
        ("airflow_2.1.0-1~deb11u1_amd64.deb", "2.1.0", True),
        ("airflow_2.1.0-1~deb11u1_amd64.deb", "2.1.0-1~deb11u1", True),
        ("airflow_2.1.0-1~deb11u1_amd64.deb", "2.1", False),
        ("airflow_2.1.0-2~deb11u1_amd64.deb", "2.1.0-1~deb11u1", False),
        ("airflow-2.11_2.11.2-1~deb12u1_amd64.deb", "2.11", False),
        ("airflow_3.4.0~rc1-1~deb13u1_amd64.deb", "3.4.0rc1", True),
        ("airflow_3.4.0~rc1-1~deb13u1_amd64.deb", "3.4.0", False),
        ("airflow.deb", "2.1.0", False),
    ],
)
def test_versions(file: str, wanted: str, yes: bool) -> None:
    assert uploads.is_version(file, wanted) is yes

"""`make verify` on a package that was really built, and on what others made of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.provenance.keys import generate, gpg

from airflow_deb import companions, log, paths, rebuild, settings, signing, uploads, versions
from airflow_deb.errors import (
    AirflowDebError,
    DifferentError,
    HashError,
    IncompleteError,
    SignatureError,
    UsageError,
    VerifyError,
)
from airflow_deb.verify import verify

PLACES = paths.default()
MATRIX = versions.load(PLACES.versions_sh)
UV = Path(sys.executable).with_name("uv")


@pytest.fixture
def deb(built: Path, tmp_path: Path) -> Path:
    """A copy of it, with all that lies beside it, somewhere else."""
    shutil.copytree(built.parent, tmp_path / "somewhere")
    return tmp_path / "somewhere" / built.name


def run(deb: Path, keyring: Path, **others: Any) -> None:
    wanted = settings.Settings(deb=str(deb), keyring=str(keyring.with_suffix(".pub")), **others)
    verify(PLACES, MATRIX, UV, wanted)


def failed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The checks that failed, by the printed lines."""
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    return [words[1] for words in lines if words[0] == "FAILED"]


def resign(deb: Path, keyring: Path) -> None:
    """Write sums of what is there now, and sign them with the right key."""
    sums = companions.beside(deb, companions.SUMS)
    names = companions.parse(sums.read_text())
    now = {name: companions.sha256(deb.parent / name) for name in names}
    sums.write_text(companions.render(now))
    with signing.key(str(keyring)) as key:
        signing.sign(key, sums, companions.beside(deb, companions.SIGNATURE))


def test_what_was_built_passes_anywhere(
    deb: Path, keyring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(deb, keyring)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", check]
        for check in ("complete", "signature", "checksums", "buildinfo", "sbom", "provenance")
    ]


def test_what_a_repository_has_of_it_is_enough(built: Path, keyring: Path, tmp_path: Path) -> None:
    (upload,) = uploads.read([built], log.Step("dist"))
    for path in (built, upload.buildinfo, *upload.papers):
        shutil.copy(path, tmp_path)
    run(tmp_path / built.name, keyring)


def test_sha256sum_reads_the_sums(deb: Path) -> None:
    sums = companions.beside(deb, companions.SUMS).name
    subprocess.run(["sha256sum", "--check", "--strict", sums], cwd=deb.parent, check=True)


def test_the_outcome_as_json(deb: Path, keyring: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deb.write_bytes(deb.read_bytes() + b"\0")
    with pytest.raises(AirflowDebError):
        run(deb, keyring, format="json")
    found = {entry["check"]: entry["status"] for entry in json.loads(capsys.readouterr().out)}
    assert found["signature"] == 0 and found["checksums"] == HashError.status


def test_another_deb(deb: Path, keyring: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deb.write_bytes(deb.read_bytes() + b"\0")
    with pytest.raises(AirflowDebError, match="failed 4 of 6 checks") as caught:
        run(deb, keyring)
    assert caught.value.status == HashError.status
    assert failed(capsys) == ["checksums", "buildinfo", "sbom", "provenance"]


@pytest.mark.parametrize("suffix", [".cdx.json", ".intoto.json", ".SHA256SUMS", ".SHA256SUMS.asc"])
def test_a_companion_is_missing(
    deb: Path, keyring: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    companions.beside(deb, suffix).unlink()
    with pytest.raises(AirflowDebError) as caught:
        run(deb, keyring)
    assert caught.value.status == IncompleteError.status
    assert failed(capsys)[0] == "complete"


def test_the_buildinfo_is_missing(deb: Path, keyring: Path) -> None:
    next(deb.parent.glob("*.buildinfo")).unlink()
    with pytest.raises(AirflowDebError) as caught:
        run(deb, keyring)
    assert caught.value.status == IncompleteError.status


def test_somebody_elses_signature(
    deb: Path, keyring: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate(home, "somebody else")
    (home / "other.pub").write_text(gpg(home, "--armor", "--export"))
    with pytest.raises(AirflowDebError) as caught:
        run(deb, home / "other.asc")
    assert caught.value.status == SignatureError.status
    assert failed(capsys) == ["signature"]


def test_sums_that_were_changed_after_signing(deb: Path, keyring: Path) -> None:
    deb.write_bytes(deb.read_bytes() + b"\0")
    sums = companions.beside(deb, companions.SUMS)
    names = companions.parse(sums.read_text())
    sums.write_text(
        companions.render({name: companions.sha256(deb.parent / name) for name in names})
    )
    with pytest.raises(AirflowDebError) as caught:
        run(deb, keyring)
    assert caught.value.status == SignatureError.status


def test_a_signed_sbom_of_something_else(
    deb: Path, keyring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = companions.beside(deb, companions.SBOM)
    document = json.loads(path.read_text())
    document["components"] = document["components"][1:]
    path.write_text(json.dumps(document))
    resign(deb, keyring)
    with pytest.raises(AirflowDebError) as caught:
        run(deb, keyring)
    assert caught.value.status == VerifyError.status
    # The provenance, too, names the SBOM that was made with the package.
    assert failed(capsys) == ["sbom", "provenance"]


@pytest.mark.parametrize(
    ("suffix", "old", "new", "check"),
    [
        (companions.SBOM, '"specVersion": "1.6"', '"specVersion": 16', "sbom"),
        (companions.PROVENANCE, '"resolvedDependencies"', '"dependencies"', "provenance"),
        (companions.PROVENANCE, "https://slsa.dev/provenance/v1", "urn:other", "provenance"),
        (companions.PROVENANCE, "{", "", "provenance"),
    ],
)
def test_signed_but_not_by_the_standard(
    deb: Path,
    keyring: Path,
    suffix: str,
    old: str,
    new: str,
    check: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = companions.beside(deb, suffix)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    resign(deb, keyring)
    with pytest.raises(AirflowDebError) as caught:
        run(deb, keyring)
    assert caught.value.status == VerifyError.status
    assert check in failed(capsys)


def test_what_cannot_be_verified_at_all(deb: Path, keyring: Path, data: Path) -> None:
    for name in ("", "missing.deb", str(keyring)):
        with pytest.raises(UsageError):
            verify(PLACES, MATRIX, UV, settings.Settings(deb=name))
    with pytest.raises(UsageError, match="no key to trust"):
        verify(PLACES, MATRIX, UV, settings.Settings(deb=str(deb)))
    with pytest.raises(UsageError, match="cannot be read"):
        verify(PLACES, MATRIX, UV, settings.Settings(deb=str(deb), keyring="missing"))
    assert not (data / "airflow-deb" / "signing").exists()


def test_the_provenance_has_every_input(built: Path) -> None:
    """The commit, and each Debian package of the root by its hash; airflow's: tests/package."""
    statement = json.loads(companions.beside(built, companions.PROVENANCE).read_text())
    definition = statement["predicate"]["buildDefinition"]
    assert definition["externalParameters"] == {
        "version": "2.1.0",
        "suite": "bullseye",
        "package": "airflow-instances",
        "lock": "",
        "compression": "none:0",
    }
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=PLACES.project, capture_output=True, text=True, check=True
    ).stdout.strip()
    source, *others = definition["resolvedDependencies"]
    assert source["digest"] == {"gitCommit": head}
    buildinfo = next(built.parent.glob("*.buildinfo")).read_text()
    installed = {line.split()[0] for line in buildinfo.splitlines() if line.endswith((",", ")"))}
    names = {entry["uri"].split("@")[0].rpartition("/")[2] for entry in others}
    assert {name.replace("+", "%2B") for name in installed if name.islower()} - names == set()
    assert all(len(entry["digest"]["sha256"]) == 64 for entry in others)


def test_built_again_it_is_the_same(
    deb: Path, keyring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(deb, keyring, rebuild=True, signing_key=str(keyring))
    assert "built again: the same bytes" in capsys.readouterr().out


def test_built_again_it_is_another(built: Path, keyring: Path, tmp_path: Path) -> None:
    statement = json.loads(companions.beside(built, companions.PROVENANCE).read_text())
    other = tmp_path / built.name
    other.write_bytes(built.read_bytes() + b"\0")
    with pytest.raises(DifferentError, match=f"diffoscope {other} .*{built.name}"):
        rebuild.compare(PLACES, MATRIX, UV, statement, other, str(keyring))


def test_a_checkout_with_other_inputs_does_not_build_it_again(
    deb: Path, keyring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = companions.beside(deb, companions.PROVENANCE)
    document = json.loads(path.read_text())
    document["predicate"]["buildDefinition"]["internalParameters"]["key"] = "0" * 64
    path.write_text(json.dumps(document))
    resign(deb, keyring)
    with pytest.raises(AirflowDebError) as caught:
        run(deb, keyring, rebuild=True)
    assert caught.value.status == UsageError.status
    out = capsys.readouterr().out
    assert "this checkout has other inputs" in out and "git checkout" in out

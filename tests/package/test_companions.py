"""What lies beside a package: about its very bytes, complete, signed."""

from __future__ import annotations

import json
from typing import Any

from tests.artifact import Artifact

from airflow_deb import companions, lockfile, paths, provenance, sbom

SUFFIXES = (companions.SBOM, companions.PROVENANCE, companions.SUMS, companions.SIGNATURE)


def test_the_record_has_all_of_them(built: Artifact) -> None:
    for suffix in SUFFIXES:
        path = companions.beside(built.deb, suffix)
        assert built.record.files[path.name] == (companions.sha256(path), path.stat().st_size)
    assert any(name.endswith(".buildinfo") for name in built.record.files)


def test_the_sums_are_of_all_files(built: Artifact) -> None:
    sums = companions.parse(companions.beside(built.deb, companions.SUMS).read_text())
    signed = {companions.beside(built.deb, s).name for s in (companions.SUMS, companions.SIGNATURE)}
    assert sums == {
        name: sha256 for name, (sha256, _) in built.record.files.items() if name not in signed
    }


def test_the_sbom_lists_what_is_locked(artifact: Artifact, inventory: list[dict[str, Any]]) -> None:
    text = companions.beside(artifact.deb, companions.SBOM).read_text()
    sbom.check(text)
    document = json.loads(text)
    python = [c for c in document["components"] if c["purl"].startswith("pkg:pypi/")]
    assert {(c["name"], c["version"], c["hashes"][0]["content"]) for c in python} == {
        (file.name, file.version, file.sha256) for file in artifact.lock.files
    }
    licences = {str(item["name"]): str(item["licence"]) for item in inventory}
    for component in python:
        (licence,) = component["licenses"]
        said = licence.get("expression") or licence["license"].get("id", "")
        assert licences[component["name"]] in (said, licence.get("license", {}).get("name"))
    # Nothing is there that nobody needs.
    needed = {ref for entry in document["dependencies"] for ref in entry.get("dependsOn", [])}
    assert {c["bom-ref"] for c in document["components"]} - needed == set()


def test_the_provenance_has_both_locks_whole(artifact: Artifact) -> None:
    statement = provenance.load(companions.beside(artifact.deb, companions.PROVENANCE))
    entries = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    digests = {
        entry["name"]: entry["digest"]["sha256"]
        for entry in entries
        if "name" in entry and "sha256" in entry["digest"]
    }
    own = paths.default().requirements / artifact.cell.version.name
    for name in (f"{artifact.cell.lock_name}.lock", f"{artifact.cell.suite.name}-build.lock"):
        assert digests[f"requirements/{artifact.cell.version.name}/{name}"] == companions.sha256(
            own / name
        )
        for file in lockfile.load(own / name).files:
            assert digests[file.filename] == file.sha256

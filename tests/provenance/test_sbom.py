"""SBOMs of small packages with Python distributions inside, made with CycloneDX's library."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from airflow_deb import contents, sbom
from airflow_deb.contents import Contents
from airflow_deb.errors import VerifyError

SHA = "ab" * 32
CONTROL = """\
Package: airflow
Version: 2.1.0-1~deb11u1
Architecture: amd64
Maintainer: somebody <somebody@example.org>
Depends: python3.9, libc6 (>= 2.29),
 systemd | systemd-sysusers, libc6 (<< 3)
Recommends: ca-certificates
Suggests: postgresql
Description: a test
 of it
"""
# Name, version, licence, Requires-Dist.
INSIDE: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("asked", "1.0", "MIT", ("needed>=1; extra == 'more'", "windows; sys_platform == 'win32'")),
    ("needed", "2.0", "Apache-2.0 OR MIT", ("Old.Style (>=1.0.*)",)),
    ("old-style", "1.1", "Apache Software License", ()),
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What a package is packed from."""
    top = tmp_path / "tree"
    site = top / "usr/lib/airflow/lib/python3.9/site-packages"
    rows = []
    for name, version, licence, needs in INSIDE:
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {n}" for n in needs)]
        (info / "METADATA").write_text("Metadata-Version: 2.1\n" + "\n".join(lines) + "\n\ntext\n")
        rows.append(
            {
                "name": name,
                "version": version,
                "licence": licence,
                "licence_files": [],
                "homepage": "",
                "source": f"{name}-{version}.tar.gz",
                "kind": "sdist",
                "size": 12,
                "sha256": name[0].encode().hex() * 32,
            }
        )
    share = top / "usr/share/airflow"
    share.mkdir(parents=True)
    (share / "inventory.json").write_text(json.dumps({"title": "x", "distributions": rows}))
    (top / "DEBIAN").mkdir()
    (top / "DEBIAN/control").write_text(CONTROL)
    return top


def made(inside: Contents) -> str:
    return sbom.make(
        inside,
        sha256=SHA,
        suite="bullseye",
        python="3.9",
        asked=["asked[more]==1.0"],
        epoch=1625011200,
    )


def by_ref(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {component["bom-ref"]: component for component in document["components"]}


def test_tree_and_deb_have_the_same_contents(tree: Path, tmp_path: Path) -> None:
    deb = tmp_path / "x.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, deb], check=True)
    assert contents.of_deb(deb) == contents.of_tree(tree)


@pytest.mark.parametrize("cut", [100, 700])
def test_a_damaged_deb(tree: Path, tmp_path: Path, cut: int) -> None:
    deb = tmp_path / "x.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, deb], check=True)
    deb.write_bytes(deb.read_bytes()[:cut])
    with pytest.raises(VerifyError, match=r"x\.deb"):
        contents.of_deb(deb)


def test_every_distribution_with_purl_licence_and_hash(tree: Path) -> None:
    document = json.loads(made(contents.of_tree(tree)))
    found = by_ref(document)
    for name, version, _, _ in INSIDE:
        component = found[f"pkg:pypi/{name}@{version}"]
        assert component["purl"] == f"pkg:pypi/{name}@{version}"
        assert component["hashes"] == [{"alg": "SHA-256", "content": name[0].encode().hex() * 32}]
    licences = [found[f"pkg:pypi/{name}@{version}"]["licenses"] for name, version, _, _ in INSIDE]
    assert licences == [
        [{"license": {"id": "MIT"}}],
        [{"expression": "Apache-2.0 OR MIT"}],
        [{"license": {"name": "Apache Software License"}}],
    ]


def test_the_debian_packages_it_depends_on(tree: Path) -> None:
    found = by_ref(json.loads(made(contents.of_tree(tree))))
    libc = found["pkg:deb/debian/libc6?distro=bullseye"]
    assert libc["scope"] == "required"
    assert {p["value"] for p in libc["properties"]} == {"libc6 (>= 2.29)", "libc6 (<< 3)"}
    systemd = found["pkg:deb/debian/systemd?distro=bullseye"]
    assert systemd["properties"][0]["value"] == "systemd | systemd-sysusers"
    assert found["pkg:deb/debian/ca-certificates?distro=bullseye"]["scope"] == "optional"
    assert "pkg:deb/debian/postgresql?distro=bullseye" not in found


def test_who_needs_whom(tree: Path) -> None:
    """With the extra that was asked for, by the rules of the one platform, old syntax included."""
    document = json.loads(made(contents.of_tree(tree)))
    edges = {entry["ref"]: entry.get("dependsOn", []) for entry in document["dependencies"]}
    assert edges["pkg:pypi/asked@1.0"] == ["pkg:pypi/needed@2.0"]
    assert edges["pkg:pypi/needed@2.0"] == ["pkg:pypi/old-style@1.1"]
    package = document["metadata"]["component"]["bom-ref"]
    assert [ref for ref in edges[package] if "pypi" in ref] == ["pkg:pypi/asked@1.0"]
    assert "pkg:deb/debian/python3.9?distro=bullseye" in edges[package]


def test_the_same_package_has_the_same_bytes(tree: Path) -> None:
    first, second = made(contents.of_tree(tree)), made(contents.of_tree(tree))
    assert first == second
    document = json.loads(first)
    assert document["metadata"]["timestamp"].startswith("2021-06-30T00:00:00")
    assert document["metadata"]["component"]["hashes"][0]["content"] == SHA


def test_what_is_no_cyclonedx_is_refused(tree: Path) -> None:
    document = json.loads(made(contents.of_tree(tree)))
    document["components"][0]["type"] = "snake"
    with pytest.raises(VerifyError, match=r"not CycloneDX 1\.6"):
        sbom.check(json.dumps(document))


def test_differences_are_named(tree: Path) -> None:
    inside = contents.of_tree(tree)
    document = json.loads(made(inside))
    assert sbom.differences(document, inside, SHA) == []
    assert "the sha256" in sbom.differences(document, inside, "0" * 64)[0]
    for component in document["components"]:
        if component["name"] == "needed":
            component["hashes"][0]["content"] = "0" * 64
    document["components"] = [c for c in document["components"] if c["name"] != "systemd"]
    assert sbom.differences(document, inside, SHA) == [
        "needed 2.0 is not in the SBOM",
        "needed 2.0 of the SBOM is not inside",
        "the SBOM does not name the Debian package systemd",
    ]

"""The control archive, and what lies beside the .deb."""

from __future__ import annotations

import hashlib
import re
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

import pytest
from tests.artifact import Artifact
from tests.package.debfile import Deb

# No maintainer script may start anything or touch a database.
FORBIDDEN = re.compile(
    r"systemctl|deb-systemd-invoke|invoke-rc\.d|service\s|airflow\s+(db|webserver|scheduler)"
    r"|initdb|upgradedb|psql|mysql|createdb|alembic|nohup|start-stop-daemon"
)


def test_identity(deb: Deb, artifact: Artifact) -> None:
    """Name, version with the suite in it, architecture."""
    fields = deb.fields
    assert fields["Package"] == artifact.name
    assert "Source" not in fields, "two of one source would overwrite each other's .changes"
    assert fields["Version"] == artifact.cell.deb_version
    assert fields["Architecture"] == "amd64"
    assert fields["Description"]
    assert fields["Maintainer"]


def test_installed_size(package: Deb) -> None:
    """Installed-Size is that of the files: each in whole KiB, and one for each path.

    dpkg-gencontrol counts the maintainer scripts as well, a few KiB.
    """
    files = sum((member.size + 1023) // 1024 for member in package.files.values())
    other = len(package.members) - len(package.files)
    scripts = 16
    assert 0 <= int(package.fields["Installed-Size"]) - (files + other) <= scripts


def test_depends_on_the_suites_python_alone(deb: Deb, artifact: Artifact) -> None:
    """The environment links to that interpreter, so to no other."""
    python = f"python{artifact.cell.suite.python}"
    depends = deb.relations("Depends")
    assert python in depends
    assert [
        name for name in depends if re.fullmatch(r"python3\.\d+", name) and name != python
    ] == []


def test_says_which_modules_it_takes(deb: Deb, artifact: Artifact) -> None:
    """What plugins for this Airflow and this Python depend on."""
    place = f"{artifact.name}-python{artifact.cell.suite.python}"
    assert deb.relations("Provides")[place] == f"= {artifact.cell.deb_version}"


def test_asks_nobody_for_its_own_version(deb: Deb, artifact: Artifact) -> None:
    """As symbols files that name the version of their own build would have it (krb5's do)."""
    own = artifact.cell.deb_version
    assert [name for name, version in deb.relations("Depends").items() if own in version] == []


def test_depends_on_what_was_found_by_running(deb: Deb, expectations: dict[str, Any]) -> None:
    """Libraries of compiled modules, and what only an import or a start tells."""
    assert set(expectations["depends"]) - deb.relations("Depends").keys() == set()


def test_optional_things_are_optional(deb: Deb, expectations: dict[str, Any]) -> None:
    """Kerberos tools, SASL modules, Java, servers: recommended or suggested, not needed."""
    named = deb.fields["Recommends"] + ", " + deb.fields["Suggests"]
    optional = set(expectations["optional"])
    assert {word for word in optional if not re.search(rf"\b{word}(?![-\w])", named)} == set()
    assert optional & deb.relations("Depends").keys() == set()


def test_maintainer_scripts_start_nothing(deb: Deb) -> None:
    """Not a service, not a database command."""
    scripts = {name: deb.control[name] for name in deb.control if name in _SCRIPTS}
    assert scripts
    found = {
        name: [line for line in text.splitlines() if FORBIDDEN.search(line.split("#")[0])]
        for name, text in scripts.items()
    }
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_maintainer_scripts_stop_at_errors(package: Deb) -> None:
    """POSIX shell with `set -e` (Debian policy 6.1, 10.4)."""
    for name in _SCRIPTS & package.control.keys():
        text = package.control[name]
        assert text.startswith("#!/bin/sh"), name
        assert re.search(r"^set -e", text, re.MULTILINE), name


def test_the_user_is_created(deb: Deb, artifact: Artifact) -> None:
    """And nothing else: the system user airflow, without a shell, whatever the name."""
    lines = deb.read(f"/usr/lib/sysusers.d/{artifact.name}.conf").decode().splitlines()
    declared = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    assert [(words[0], words[1], words[-1]) for words in declared] == [
        ("u", "airflow", "/usr/sbin/nologin")
    ]
    assert "systemd-sysusers" in deb.control["postinst"]


def test_what_goes_is_this_package_s(deb: Deb, artifact: Artifact) -> None:
    """Instances of another installation run on, and its files stay."""
    stop = f"airflow-instance upgraded --removing {artifact.prefix} ||"
    assert stop in deb.control["prerm"]
    assert f"venv={artifact.prefix}\n" in deb.control["postrm"]
    assert "userdel" not in re.sub(r"(?m)^ *echo .*", "", deb.control["postrm"])


def test_a_named_package_stands_for_an_environment(deb: Deb, artifact: Artifact) -> None:
    """So that airflow-instances, which recommends one, does not bring a second.

    Each also stands for a place that plugins for its Python can be put into.
    """
    cell = artifact.cell
    provided = [f"{artifact.name}-python{cell.suite.python} (= {cell.deb_version})"]
    provided += [] if artifact.name == "airflow" else ["airflow-environment"]
    assert deb.fields["Provides"] == ", ".join(provided)
    assert not {"Conflicts", "Breaks", "Replaces"} & deb.fields.keys()


def test_no_configuration_files(deb: Deb) -> None:
    """So that purging has nothing to ask about."""
    assert "conffiles" not in deb.control


def test_files_beside_the_deb(built: Artifact) -> None:
    """The build's record names the .deb and what lies beside it; all are as it says."""
    names = {name.partition(built.cell.deb_version)[2] for name in built.record.files}
    suffixes = {name.partition(".")[2] for name in names}
    signed = {"SHA256SUMS", "SHA256SUMS.asc"}
    assert suffixes == {"deb", "buildinfo", "changes", "cdx.json", "intoto.json"} | signed
    assert len(built.record.files) == len(suffixes)
    for name, (sha256, size) in built.record.files.items():
        assert _facts(built.directory / name) == (sha256, size), name


@pytest.mark.parametrize("suffix", [".buildinfo", ".changes"])
def test_checksums_beside_the_deb(built: Artifact, suffix: str) -> None:
    """Whoever verifies by .buildinfo or .changes verifies this very .deb."""
    document = _document(built, suffix)
    assert document["Version"] == built.cell.deb_version
    listed = {}
    for line in str(document["Checksums-Sha256"]).strip().splitlines():
        sha256, size, name = line.split()
        listed[name] = (sha256, int(size))
    assert built.deb.name in listed
    for name, facts in listed.items():
        assert _facts(built.directory / name) == facts, name


def test_changes_are_for_the_suite(built: Artifact) -> None:
    """A repository takes it into this suite and no other."""
    assert _document(built, ".changes")["Distribution"] == built.cell.suite.name


_SCRIPTS = {"preinst", "postinst", "prerm", "postrm", "config"}


def _document(artifact: Artifact, suffix: str) -> Message:
    name = next(name for name in artifact.record.files if name.endswith(suffix))
    return HeaderParser().parsestr((artifact.directory / name).read_text(encoding="utf-8"))


def _facts(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size

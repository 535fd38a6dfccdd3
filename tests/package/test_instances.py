"""The package airflow-instances: the host tool, its units, its places in /etc and /var."""

from __future__ import annotations

import configparser
import gzip
import json
import re
import subprocess
from pathlib import Path

import pytest
from airflow_instance import commands
from airflow_instance.clean_logs import command
from tests.artifact import Artifact
from tests.package.debfile import Deb, listing

from airflow_deb import paths

SCRIPTS = paths.PROJECT / "scripts"
SHARE = "/usr/share/airflow-instances"
DOC = "/usr/share/doc/airflow-instances"
PAGES = "/usr/share/man/man1"
COMPLETION = "/usr/share/bash-completion/completions/airflow-instance"
# Root's alone: secrets, keys, and backups with both.
PRIVATE = {"/etc/airflow/keys.d", "/etc/airflow/secrets.d", "/var/backups/airflow-instances"}
PUBLIC = {
    "/etc/airflow",
    "/etc/airflow/environment.d",
    "/etc/airflow/instances.d",
    "/etc/airflow/ports.d",
    "/var/lib/airflow-instances",
}
# Where a suite has its units: the one directory, under its old or its present name.
UNIT_DIRS = ("/lib/systemd/system", "/usr/lib/systemd/system")


def scripts(pattern: str) -> dict[str, bytes]:
    """The files below scripts/ that fit ``pattern``, by their path from there."""
    found = {
        path.relative_to(SCRIPTS).as_posix(): path.read_bytes()
        for path in SCRIPTS.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert found, pattern
    return found


def installed(host_deb: Deb, directory: str) -> dict[str, bytes]:
    """The files of the package below ``directory``, by their path from there."""
    return {
        path[len(directory) + 1 :]: host_deb.read(path)
        for path in host_deb.files
        if path.startswith(f"{directory}/")
    }


@pytest.fixture
def units(host_deb: Deb) -> dict[str, bytes]:
    """The unit files of the package."""
    found = [installed(host_deb, directory) for directory in UNIT_DIRS]
    assert sum(map(bool, found)) == 1, "units in one directory"
    return found[0] or found[1]


def test_identity(host_deb: Deb, host_artifact: Artifact) -> None:
    """Of the same source and version as airflow, for all architectures."""
    fields = host_deb.fields
    assert (fields["Package"], fields["Source"]) == ("airflow-instances", "airflow")
    assert fields["Architecture"] == "all"
    assert fields["Version"] == host_artifact.cell.deb_version


def test_relations(host_deb: Deb, deb: Deb) -> None:
    """Debian's python3 and yaml, and none of the two packages needs the other."""
    depends = host_deb.relations("Depends")
    assert set(depends) - {"python3:any"} == {"passwd", "python3", "python3-yaml"}
    assert depends["python3"] == ">= 3.9"
    either = "airflow | airflow-environment"
    assert either in host_deb.relations("Recommends")
    assert {"airflow", "airflow-environment"} <= host_deb.relations("Enhances").keys()
    assert "airflow-instances" in deb.relations("Recommends")
    assert "airflow-instances" not in deb.relations("Depends")


def test_no_file_is_in_both_packages(host_deb: Deb, deb: Deb) -> None:
    """dpkg would refuse to install the second one."""
    shared = host_deb.members.keys() & deb.members.keys()
    assert {path for path in shared if host_deb.members[path].kind != "directory"} == set()


def test_the_tool_is_complete(host_deb: Deb) -> None:
    """Every module and data file, as in the checkout, and nothing else."""
    inside = installed(host_deb, SHARE)
    wanted = scripts("airflow_instance/**/*") | scripts("launcher")
    assert sorted(inside) == sorted(wanted)
    assert [name for name in wanted if inside[name] != wanted[name]] == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/usr/bin/airflow-instance", "airflow-instance"),
        ("/usr/bin/clean_logs", "clean_logs"),
        (f"{SHARE}/launcher", "launcher"),
    ],
)
def test_commands(host_deb: Deb, path: str, name: str) -> None:
    """Executable, on Debian's own Python, deaf to the environment of whoever calls them."""
    assert host_deb.members[path].mode == 0o755
    assert host_deb.read(path) == (SCRIPTS / name).read_bytes()
    assert host_deb.read(path).startswith(b"#!/usr/bin/python3 -I\n")


def test_only_commands_are_executable(host_deb: Deb) -> None:
    """And dh_python3's hook for a new Python."""
    found = {path for path, member in host_deb.files.items() if member.mode & 0o111}
    assert found == {
        "/usr/bin/airflow-instance",
        "/usr/bin/clean_logs",
        f"{SHARE}/launcher",
        "/usr/share/python3/runtime.d/airflow-instances.rtupdate",
    }


def test_no_bytecode_is_shipped(host_deb: Deb) -> None:
    """It is made for the host's Python, and taken away again."""
    assert not [p for p in host_deb.members if "__pycache__" in p or p.endswith((".pyc", ".pyo"))]
    assert f"py3compile -p airflow-instances {SHARE}" in host_deb.control["postinst"]
    assert "py3clean -p airflow-instances" in host_deb.control["prerm"]


def test_directories(host_deb: Deb) -> None:
    """Each with its mode; nothing private is open, and nothing else is closed."""
    modes = {p: m.mode for p, m in host_deb.members.items() if m.kind == "directory"}
    assert {path for path, mode in modes.items() if mode != 0o755} == PRIVATE
    assert {modes[path] for path in PRIVATE} == {0o700}
    assert modes.keys() >= PUBLIC


def test_everybody_may_read_files(host_deb: Deb) -> None:
    """644 or 755, no links, nothing special."""
    wrong = [
        (path, member.kind, oct(member.mode))
        for path, member in host_deb.members.items()
        if member.kind != "directory" and (member.kind, member.mode | 0o111) != ("file", 0o755)
    ]
    assert not wrong, listing(wrong)


def test_etc_has_the_defaults_and_nothing_else(host_deb: Deb) -> None:
    """A configuration file that dpkg asks about; all settings in it are comments."""
    assert [path for path in host_deb.files if path.startswith("/etc/")] == [
        "/etc/airflow/defaults.yaml"
    ]
    assert host_deb.control["conffiles"].split() == ["/etc/airflow/defaults.yaml"]
    text = host_deb.read("/etc/airflow/defaults.yaml").decode()
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == []


def test_units(units: dict[str, bytes]) -> None:
    """Those of the checkout, the umbrella and the instance among them."""
    wanted = {Path(name).name: content for name, content in scripts("units/*").items()}
    assert units == wanted
    assert {"airflow.service", "airflow@.service"} <= units.keys()
    assert {Path(name).suffix for name in units} <= {".service", ".timer", ".target", ".slice"}


def test_only_the_umbrella_is_enabled(host_deb: Deb, units: dict[str, bytes]) -> None:
    """Whether an instance starts is not the package's to say."""
    script = host_deb.control["postinst"]
    named = set(re.findall(r"'(airflow[^ ']*\.(?:service|timer))'", script))
    assert named == {"airflow.service"}
    assert "deb-systemd-helper enable 'airflow.service'" in script
    assert not [name for name in units if name != "airflow.service" and "@" not in name]


def test_upgrading_stops_nothing(host_deb: Deb) -> None:
    """Stopping the umbrella would stop every instance; only a removal does."""
    stop = re.search(
        r"^if (.*); then\n\tdeb-systemd-invoke stop 'airflow.service'",
        host_deb.control["prerm"],
        re.MULTILINE,
    )
    assert stop
    assert '[ "$1" = remove ]' in stop[1]
    assert "restart 'airflow.service'" not in host_deb.control["postinst"]


def test_units_are_what_systemd_reads(units: dict[str, bytes]) -> None:
    """Sections and keys, and a manual page to look at."""
    for name, content in units.items():
        parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
        parser.read_string(content.decode())
        assert parser.has_option("Unit", "Description"), name
        assert parser.get("Unit", "Documentation").startswith("man:"), name


def test_triggers(host_deb: Deb, deb: Deb) -> None:
    """airflow tells by name when it changes, and nobody waits for anybody."""

    def words(package: Deb) -> list[str]:
        lines = package.control["triggers"].splitlines()
        return [line for line in lines if line and not line.startswith("#")]

    assert words(deb) == ["activate-noawait airflow-installation"]
    assert words(host_deb) == ["interest-noawait airflow-installation"]


def test_every_command_has_its_page(host_deb: Deb) -> None:
    """airflow-instance(1), one for each of its commands, clean_logs(1)."""
    shown = [command.name for command in commands.load() if command.help]
    wanted = {"airflow-instance", "clean_logs", *(f"airflow-instance-{name}" for name in shown)}
    pages = installed(host_deb, PAGES)
    assert wanted <= {name.removesuffix(".1.gz") for name in pages}
    for name, content in pages.items():
        page = gzip.decompress(content).decode()
        assert page.startswith(".TH "), name
        for section in ("NAME", "SYNOPSIS", "DESCRIPTION"):
            assert f".SH {section}\n" in page, (name, section)


def test_clean_logs_page_says_all(host_deb: Deb) -> None:
    """Every option and exit status of the parser, which the page is not made from."""
    page = gzip.decompress(host_deb.read(f"{PAGES}/clean_logs.1.gz")).decode().replace("\\-", "-")
    options = {name for action in command.build_parser()._actions for name in action.option_strings}
    assert [name for name in options if name not in page] == []
    statuses = re.findall(r"^\.B (\d+)$", page, re.MULTILINE)
    assert statuses == [str(status) for status, _ in command.EXIT_STATUS]


def test_completion(host_deb: Deb) -> None:
    """bash can read it, and it completes the commands."""
    text = host_deb.read(COMPLETION).decode()
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "complete -F _airflow_instance airflow-instance" in text
    assert {"create", "apply", "ls"} <= set(re.findall(r"[\w-]+", text))


def test_documents(host_deb: Deb, host_artifact: Artifact) -> None:
    """Changelog, copyright, README.Debian, examples."""
    changelog = gzip.decompress(host_deb.read(f"{DOC}/changelog.Debian.gz")).decode()
    assert changelog.startswith(f"airflow ({host_artifact.cell.deb_version}) ")
    assert host_deb.read(f"{DOC}/copyright").startswith(b"Format: https://www.debian.org/doc/")
    assert b"/etc/airflow/instances.d/NAME.yaml" in host_deb.read(f"{DOC}/README.Debian")
    wanted = set(scripts("examples/**/*"))
    assert {name for name in installed(host_deb, DOC) if name.startswith("examples/")} == wanted


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("puppet/airflow", "/usr/share/puppet/modules/airflow"),
        ("ansible/airflow", "/usr/share/ansible/roles/airflow"),
    ],
)
def test_configuration_management(host_deb: Deb, source: str, place: str) -> None:
    """Where Puppet looks for modules, and Ansible for roles."""
    wanted = scripts(f"{source}/**/*")
    inside = {f"{source}/{name}": text for name, text in installed(host_deb, place).items()}
    assert inside == wanted


def test_schema(host_deb: Deb) -> None:
    """Whoever writes declarations can check them with it."""
    schema = json.loads(host_deb.read(f"{SHARE}/airflow_instance/data/schema.json"))
    assert "json-schema.org" in schema["$schema"]


def test_maintainer_scripts_migrate_nothing(host_deb: Deb) -> None:
    """Nor delete users, homes or databases."""
    forbidden = re.compile(
        r"\bairflow(-\S+)? (db|users)\b|instance (migrate|drop|restore)|psql|mysql|dropdb|alembic"
        r"|\b(deluser|userdel|groupdel) |rm -r|/srv"
    )
    for name in ("postinst", "prerm", "postrm"):
        lines = [line.partition("#")[0] for line in host_deb.control[name].splitlines()]
        found = [line for line in lines if forbidden.search(line) and "echo" not in line]
        assert not found, (name, found)


def test_dpkgs_checksums(host_deb: Deb) -> None:
    """`dpkg --verify` can check every file."""
    lines = (line.partition("  ") for line in host_deb.control["md5sums"].splitlines())
    inside = {(path.lstrip("/"), m.md5) for path, m in host_deb.files.items()}
    assert {(path, md5) for md5, _, path in lines} == {
        (path, md5) for path, md5 in inside if not path.startswith("etc/")
    }

"""Where files are, whose they are, and who may change them."""

from __future__ import annotations

import configparser
import gzip
import re
from collections import Counter
from typing import Any

from packaging.utils import canonicalize_name
from tests.artifact import Artifact
from tests.package.debfile import Deb, listing

# Everything outside of the virtual environment, directories aside.
BESIDE = (
    "/usr/bin/{name}",
    "/usr/lib/sysusers.d/{name}.conf",
    "/usr/share/{name}/inventory.json",
    "/usr/share/doc/{name}/README.Debian",
    "/usr/share/doc/{name}/changelog.Debian.gz",
    "/usr/share/doc/{name}/copyright",
    "/usr/share/doc/{name}/inventory.txt",
    "/usr/share/lintian/overrides/{name}",
    "/usr/share/man/man1/{name}.1.gz",
)


def test_all_belongs_to_root(package: Deb) -> None:
    """Names and numbers."""
    owners = {member.owner for member in package.members.values()}
    assert owners == {(0, 0, "root", "root")}


def test_all_is_of_one_time(package: Deb) -> None:
    """SOURCE_DATE_EPOCH: what keeps a time of its own is the copy of something."""
    times = Counter(member.time for member in package.members.values())
    common = times.most_common(1)[0][0]
    wrong = [(path, m.time) for path, m in package.members.items() if m.time != common]
    assert not wrong, listing(wrong)


def test_only_root_may_write(package: Deb) -> None:
    """Nothing is writable for group or world, nor runs with another's rights."""
    wrong = [
        (path, oct(member.mode))
        for path, member in package.members.items()
        if member.kind != "link" and member.mode & 0o7022
    ]
    assert not wrong, listing(wrong)


def test_everybody_may_read(deb: Deb) -> None:
    """Every user is to be able to run it: 755 or 644, nothing else."""
    wrong = [
        (path, member.kind, oct(member.mode))
        for path, member in deb.members.items()
        if (member.kind == "directory" and member.mode != 0o755)
        or (member.kind == "file" and member.mode not in (0o755, 0o644))
        or member.kind in ("hard link", "special")
    ]
    assert not wrong, listing(wrong)


def test_nothing_else_is_installed(deb: Deb, artifact: Artifact) -> None:
    """Outside of its own directory the package has what policy asks for, nothing in /etc."""
    beside = {
        path
        for path, member in deb.members.items()
        if member.kind != "directory" and not path.startswith(f"{artifact.prefix}/")
    }
    assert beside == {path.format(name=artifact.name) for path in BESIDE}


def test_the_command_runs_this_airflow(deb: Deb, artifact: Artifact) -> None:
    """Programs that Airflow starts by name are this one's, too."""
    lines = deb.read(f"/usr/bin/{artifact.name}").decode().splitlines()
    assert f"venv_bin={artifact.prefix}/bin" in lines
    assert lines[-1] == 'exec "$venv_bin/airflow" "$@"'
    assert deb.members[f"/usr/bin/{artifact.name}"].mode == 0o755


def test_virtual_environment(deb: Deb, artifact: Artifact) -> None:
    """It has the suite's interpreter, by link, and says where that is."""
    python = artifact.cell.suite.python
    names = (f"python{python}", "python3", "python")
    ends = {name: deb.members[f"{artifact.prefix}/bin/{name}"].leads_to for name in names}
    assert ends.pop(f"python{python}") == f"/usr/bin/python{python}"
    assert set(ends.values()) <= {f"{artifact.prefix}/bin/{name}" for name in names}
    config = dict(
        re.split(r"\s*=\s*", line, maxsplit=1)
        for line in deb.read(f"{artifact.prefix}/pyvenv.cfg").decode().splitlines()
    )
    assert config["home"] == "/usr/bin"
    assert config["include-system-site-packages"] == "false"
    assert config["version"].startswith(f"{python}.")


def test_links_lead_somewhere(deb: Deb, artifact: Artifact) -> None:
    """No link dangles; only the interpreter's leaves the package."""
    links = {path: m.leads_to for path, m in deb.members.items() if m.kind == "link"}
    python = f"python{artifact.cell.suite.python}"
    assert links.pop(f"{artifact.prefix}/bin/{python}") == f"/usr/bin/{python}"
    assert set(links.values()) - deb.members.keys() == set()


def test_scripts_start_with_the_packages_python(deb: Deb, artifact: Artifact) -> None:
    """A script whose first line names a Python names this one, in full."""
    wrong = []
    for path, member in deb.files.items():
        if path.startswith(f"{artifact.prefix}/bin/") and member.head.startswith(b"#!"):
            first = deb.read(path).partition(b"\n")[0].decode()
            if "python" in first and not first.startswith(f"#!{artifact.prefix}/bin/python"):
                wrong.append((path, first))
    assert not wrong, listing(wrong)


def test_pip_is_told_to_keep_out(deb: Deb, artifact: Artifact) -> None:
    """PEP 668's marker, whose message names the package; no pip inside to ignore it."""
    text = deb.read(
        f"{artifact.prefix}/lib/python{artifact.cell.suite.python}/EXTERNALLY-MANAGED"
    ).decode()
    marker = configparser.ConfigParser()
    marker.read_string(text)
    assert f"Debian package {artifact.name}," in marker["externally-managed"]["Error"]


def test_documents(deb: Deb, artifact: Artifact) -> None:
    """What every Debian package has, and is about this one."""
    documents = f"/usr/share/doc/{artifact.name}"
    changelog = gzip.decompress(deb.read(f"{documents}/changelog.Debian.gz")).decode()
    cell = artifact.cell
    assert changelog.startswith(f"{artifact.name} ({cell.deb_version}) {cell.suite.name};")
    copyright_ = deb.read(f"{documents}/copyright").decode()
    assert copyright_.startswith("Format: https://www.debian.org/doc/packaging-manuals/copyright-")
    assert f"{documents}/inventory.txt" in copyright_
    assert f"{artifact.prefix} " in deb.read(f"{documents}/README.Debian").decode()
    page = gzip.decompress(deb.read(f"/usr/share/man/man1/{artifact.name}.1.gz")).decode()
    assert f".TH {artifact.name.upper()} 1" in page


def test_inventories_agree_with_the_lock(
    deb: Deb, artifact: Artifact, inventory: list[dict[str, Any]]
) -> None:
    """Both list the locked distributions, with the locked file and its sha256."""
    locked = {(f.name, f.version, f.filename, f.sha256) for f in artifact.lock.files}
    listed = {
        (canonicalize_name(e["name"]), e["version"], e["source"], e["sha256"]) for e in inventory
    }
    assert not listed ^ locked, listing(sorted(listed ^ locked))
    text = deb.read(f"/usr/share/doc/{artifact.name}/inventory.txt").decode()
    entry = re.compile(r"^(\S+) (\S+)  \[.+\]\n    (\S+)  sha256:([0-9a-f]{64})$", re.MULTILINE)
    shown = {(canonicalize_name(n), v, f, s) for n, v, f, s in entry.findall(text)}
    assert not shown ^ locked, listing(sorted(shown ^ locked))


def test_inventory_knows_licences(deb: Deb, inventory: list[dict[str, Any]]) -> None:
    """Every distribution has something to say, and the licence files it names are there."""
    assert [entry["name"] for entry in inventory if not entry["licence"]] == []
    named = {path for entry in inventory for path in entry["licence_files"]}
    assert named
    assert named - deb.files.keys() == set()

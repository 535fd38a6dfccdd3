"""The RECORDs: what each distribution installed is there, as it was, and nothing else."""

from __future__ import annotations

import base64
import importlib.util
from collections import Counter
from typing import Any

from tests.artifact import Artifact
from tests.package.debfile import Deb, listing
from tests.package.dists import Distribution


def test_installed_set_is_the_locked_one(dists: list[Distribution], artifact: Artifact) -> None:
    """Names and versions, none missing, none too many."""
    locked = {(file.name, file.version) for file in artifact.lock.files}
    wrong = sorted({(dist.name, dist.version) for dist in dists} ^ locked)
    assert not wrong, listing(wrong)
    assert len(dists) == len(locked)


def test_every_recorded_file_is_as_recorded(deb: Deb, dists: list[Distribution]) -> None:
    """Hash and size of each; only a RECORD itself has none."""
    wrong = []
    for dist in dists:
        for row in dist.rows:
            member = deb.file(row.path)
            if member is None:
                wrong.append(f"{dist.name}: {row.path} is not there")
            elif row.path == dist.record:
                if (row.hash, row.size) != ("", ""):
                    wrong.append(f"{dist.name}: its RECORD has a hash of itself")
            elif (row.hash, row.size) != (_hash(member.digest), str(member.size)):
                wrong.append(f"{dist.name}: {row.path} is not what RECORD says")
    assert not wrong, listing(wrong)


def test_every_file_is_in_one_record(
    deb: Deb, dists: list[Distribution], artifact: Artifact, expectations: dict[str, Any]
) -> None:
    """Of one distribution; those of the environment itself are in none.

    A few belong to several: then their wheels hold the same bytes, or the build stops.
    """
    times = Counter(row.path for dist in dists for row in dist.rows)
    twice = {source_of(path) for path, n in times.items() if n > 1}
    shared = {
        path for path in twice if path.partition("/site-packages/")[2] in expectations["shared"]
    }
    assert twice == shared, listing(sorted(twice - shared))
    python = f"python{artifact.cell.suite.python}"
    own = {"pip.conf", "pyvenv.cfg", f"lib/{python}/EXTERNALLY-MANAGED"}
    own |= {f"bin/{name}" for name in ("activate", "activate.csh", "activate.fish", "Activate.ps1")}
    own |= {"lib64", *(f"bin/{name}" for name in ("python", "python3", python))}
    inside = {
        path
        for path, member in deb.members.items()
        if path.startswith(f"{artifact.prefix}/") and member.kind in ("file", "link")
    }
    unlisted = {path.removeprefix(f"{artifact.prefix}/") for path in inside - times.keys()}
    assert not unlisted ^ own, listing(sorted(unlisted ^ own))


def test_dpkgs_checksums(deb: Deb) -> None:
    """`dpkg --verify` can check every file: md5sums lists all, rightly."""
    lines = (line.partition("  ") for line in deb.control["md5sums"].splitlines())
    listed = {(path, md5) for md5, _, path in lines}
    inside = {(path.lstrip("/"), member.md5) for path, member in deb.files.items()}
    wrong = sorted(listed ^ inside)
    assert not wrong, listing(wrong)


def test_no_file_names_a_place_of_the_build(package: Deb) -> None:
    """Such a path is wrong on every host, and different on every builder."""
    found = [(path, m.names) for path, m in package.members.items() if m.names]
    assert not found, listing(found)


def source_of(path: str) -> str:
    """The module that ``path`` is the bytecode of; ``path`` itself when it is none."""
    return importlib.util.source_from_cache(path) if path.endswith(".pyc") else path


def _hash(digest: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(digest).decode().rstrip("=")

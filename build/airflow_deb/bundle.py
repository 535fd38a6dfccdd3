"""A bundle: one file with all that a cell is built from, for a machine without a network.

An uncompressed tar (what is inside is compressed already) with, in this order:

    bundle.json             the manifest: what it is for, and each file's sha256 and size
    downloads/SHA256/FILE   the locked files, and the wheels of the builder's own tools
    root/archives, root/lists   what the root is made of (see roots.py)
    source/                 the files of the commit

`bundling.py` writes one; this module checks it. Standard library only: it is asked by
bootstrap.py, before there is anything of ours.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import HashError, UsageError

FORMAT = 1
MANIFEST = "bundle.json"
_PLAIN = re.compile(r"^(?!.*(^|/)\.\.?(/|$))[^/\0][^\0]*$")
# What a build reads of the checkout: a file there that no commit has could change it.
_INPUTS = ("build", "debian", "requirements", "scripts")
_CACHE = re.compile(r"(^|/)(__pycache__|\.[^/]*_cache)(/|$)")
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a bundle is for, and what is in it.

    ``security`` tells which of its locks. ``packages`` are the roles of those that can be
    built of it, ``name`` what airflow is called, ``mirror`` the MIRROR that the root's
    packages are of, ``pin`` what tells this root from others (`versions.Suite.pin`).
    ``tools`` are the Python versions that the builder's own tools are there for,
    ``tool_files`` their members. ``files`` maps each member to its sha256, its size and
    whether it is executable.
    """

    commit: str
    version: str
    suite: str
    security: bool
    packages: tuple[str, ...]
    name: str
    mirror: str
    pin: str
    tools: tuple[str, ...]
    tool_files: tuple[str, ...]
    files: dict[str, tuple[str, int, bool]]

    def render(self) -> str:
        """The manifest as it stands in the bundle."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"


def load(path: Path) -> Manifest:
    """The manifest of the bundle at ``path``.

    Raises UsageError for a file that is none, or of another format than ours.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            first = tar.next()
            opened = tar.extractfile(first) if first and first.name == MANIFEST else None
            raw = json.loads(opened.read()) if opened else {}
        if raw.pop("format") != FORMAT:
            raise UsageError(f"BUNDLE={path}: made by another airflow-deb", hint="make it again")
        files = {name: (str(s), int(n), bool(x)) for name, (s, n, x) in raw.pop("files").items()}
        raw |= {name: tuple(raw[name]) for name in ("packages", "tools", "tool_files")}
        return Manifest(**raw, files=files)
    except (OSError, tarfile.TarError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"BUNDLE={path} is no bundle: {error}", hint="make one: make bundle"
        ) from error


def check(path: Path, project: Path, say: Callable[[str], None] = lambda text: None) -> Manifest:
    """The manifest of ``path``, after everything in it was compared with it.

    Raises UsageError for what is no bundle or is of another commit than the checkout at
    ``project``, HashError for a damaged one.
    """
    manifest = load(path)
    if wrong := _other_source(manifest, project):
        raise UsageError(
            f"BUNDLE={path} is of the commit {manifest.commit}, {wrong}",
            hint=f"check out that commit, or take the source out of it: tar -xf {path.name} source",
        )
    done = 0
    total = sum(size for _, size, _ in manifest.files.values())
    for name, chunks in members(path, manifest):
        digest, size = hashlib.sha256(), 0
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
        if (digest.hexdigest(), size) != manifest.files[name][:2]:
            raise _damaged(path, f"{name} has the sha256 {digest.hexdigest()}")
        done += size
        say(f"{done * 100 // max(total, 1)} %")
    return manifest


def members(path: Path, manifest: Manifest) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Each file of the bundle with its content in chunks, which is to be read at once.

    Raises HashError when they are not those of ``manifest``.
    """
    left = dict(manifest.files)
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if member.name == MANIFEST:
                    continue
                if not member.isfile() or not _PLAIN.match(member.name) or member.name not in left:
                    raise _damaged(path, f"{member.name!r} is not in its manifest")
                del left[member.name]
                yield member.name, _content(path, tar, member)
    except (OSError, tarfile.TarError, EOFError) as error:
        raise _damaged(path, str(error)) from error
    if left:
        raise _damaged(path, f"{min(left)} is missing")


def _content(path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    opened = tar.extractfile(member)
    assert opened is not None
    try:
        while chunk := opened.read(_CHUNK):
            yield chunk
    except (OSError, tarfile.TarError) as error:
        raise _damaged(path, f"{member.name}: {error}") from error


def extract(path: Path, manifest: Manifest, target: Path, wanted: Callable[[str], str]) -> int:
    """Write the files of a checked bundle to ``target``/``wanted``(name); how many there were.

    ``wanted`` gives an empty string for a file that is to be left out.
    """
    count = 0
    for name, chunks in members(path, manifest):
        place = wanted(name)
        if not place:
            continue
        file = target / place
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            for chunk in chunks:
                out.write(chunk)
        count += 1
    return count


def _other_source(manifest: Manifest, project: Path) -> str:
    """How the checkout differs from the bundle's commit; empty when it does not."""
    head = _head(project)
    if head not in ("", manifest.commit):
        return f"the checkout is at {head}"
    ours = {
        name.removeprefix("source/"): facts
        for name, facts in manifest.files.items()
        if name.startswith("source/")
    }
    for name, (sha256, _, executable) in sorted(ours.items()):
        path = project / name
        if not path.is_file():
            return f"the checkout has no {name}"
        if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            return f"the checkout has another {name}"
        if bool(path.stat().st_mode & 0o100) != executable:
            return f"in the checkout {name} has another mode"
    for top in _INPUTS:
        for path in sorted((project / top).rglob("*")):
            name = path.relative_to(project).as_posix()
            if path.is_file() and name not in ours and not _CACHE.search(name):
                return f"the checkout has {name}, which is in no commit"
    return ""


def _head(project: Path) -> str:
    """The commit that the checkout is at; empty when it has no git directory, or without git."""
    if not (project / ".git").exists() or shutil.which("git") is None:
        return ""
    git = ["git", "-C", str(project), "rev-parse", "--verify", "HEAD"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _damaged(path: Path, what: str) -> HashError:
    return HashError(f"BUNDLE={path} is damaged: {what}", hint="copy it again; nothing was done")

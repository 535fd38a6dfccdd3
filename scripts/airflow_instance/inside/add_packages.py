"""Unpacks an instance's extra packages; runs as the service user, on the installation's Python.

    add_packages.py install DIRECTORY KEY WHEELS   requirements on standard input
    add_packages.py verify DIRECTORY KEY
    add_packages.py prune DIRECTORY KEY            all but KEY goes

Into DIRECTORY/KEY, which appears when it is complete. Debian's pip does the work, from its
wheel: it takes what has the right hash, fits this Python, and runs nothing of it. Then it is
seen to that they add to the installation and hide nothing of it: they come first on the
path. Prints what is wrong, a line each, and exits with 1.
"""

from __future__ import annotations

import base64
import compileall
import glob
import hashlib
import importlib.machinery
import importlib.metadata
import os
import py_compile
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# Of python3-pip-whl, or python-pip-whl in Debian 11.
_PIP = "/usr/share/python-wheels/pip-*.whl"


def pip(target: Path, wheels: str, requirements: Path) -> list[str]:
    """Have pip unpack what is asked for; what it says when it does not."""
    found = sorted(glob.glob(_PIP))
    if not found:
        return ["pip is not there: apt install python3-pip-whl (Debian 11: python-pip-whl)"]
    done = subprocess.run(
        [
            *(sys.executable, "-I", f"{found[-1]}/pip", "install", "--isolated", "--no-input"),
            *("--disable-pip-version-check", "--no-cache-dir", "--no-compile", "--quiet"),
            *("--no-index", "--find-links", wheels, "--only-binary=:all:", "--no-deps"),
            *("--require-hashes", "--target", str(target), "--requirement", str(requirements)),
        ],
        # The installation's pip.conf refuses every install into itself, which this is not.
        env={**os.environ, "PIP_CONFIG_FILE": os.devnull},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return []
    changed = re.findall(r"^\s+([\w.-]+==\S+) from file:\S+/(\S+\.whl)", done.stderr, re.MULTILINE)
    if changed:
        return [f"{file} has another sha256 than is locked for {name}" for name, file in changed]
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    errors = [line.partition("ERROR: ")[2] for line in lines if "ERROR: " in line]
    return errors or lines[-1:] or [f"pip ended with status {done.returncode}"]


def hidden(target: Path) -> Iterator[str]:
    """Modules of Python and of the installation that would not be found any more."""
    for entry in sorted(os.listdir(target)):
        name = entry.partition(".")[0]
        path = target / entry
        module = path.is_file() and re.search(r"\.(?:py|so)$", entry)
        # A directory without __init__.py adds to a package, and hides nothing.
        if not module and not (path / "__init__.py").is_file():
            continue
        found = importlib.machinery.PathFinder.find_spec(name, sys.path)
        if name in sys.builtin_module_names or (found is not None and found.loader is not None):
            yield f"{entry} would hide {name} of the installation"


def unfit(target: Path) -> Iterator[str]:
    """Distributions that the installation has, and requirements that nobody fulfils."""
    # Every Airflow has it.
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    def versions(path: list[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for dist in importlib.metadata.distributions(path=path):
            found.setdefault(canonicalize_name(dist.metadata["Name"]), dist.version)
        return found

    installed, own = versions(sys.path), versions([str(target)])
    for name in sorted(installed.keys() & own.keys()):
        yield f"{name} {own[name]}: the installation has {installed[name]}"
    have = {**own, **installed}
    for dist in importlib.metadata.distributions(path=[str(target)]):
        for text in dist.requires or []:
            one = Requirement(text)
            if one.marker is not None and not one.marker.evaluate({"extra": ""}):
                continue
            version = have.get(canonicalize_name(one.name))
            if version is None:
                yield f"{dist.metadata['Name']} requires {text}, which is not there"
            elif not one.specifier.contains(version, prereleases=True):
                yield f"{dist.metadata['Name']} requires {text}, and there is {version}"


def damaged(target: Path) -> Iterator[str]:
    """Files that are not what their RECORD says."""
    dists = importlib.metadata.distributions(path=[str(target)])
    for dist in sorted(dists, key=lambda dist: str(dist.metadata["Name"])):
        for file in sorted(dist.files or []):
            # pip lists commands where they would be without --target.
            path = Path(os.path.normpath(str(file.locate())))
            if file.hash is None or not path.is_relative_to(target):
                continue
            try:
                digest = hashlib.new(file.hash.mode, path.read_bytes()).digest()
            except OSError as error:
                yield f"{path}: {error.strerror}"
                continue
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
                yield f"{path} is not what was installed"


def install(directory: Path, key: str, wheels: str) -> list[str]:
    """Make DIRECTORY/KEY, or say why not."""
    directory.mkdir(mode=0o750, exist_ok=True)
    partial = directory / f".{key}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o750)
    requirements = directory / f".{key}.txt"
    requirements.write_text(sys.stdin.read(), encoding="utf-8")
    try:
        target = partial / "site"
        wrong = pip(target, wheels, requirements)
        wrong = wrong or [*hidden(target), *unfit(target)]
        if wrong:
            return wrong
        # Bound to the sources by hash: nobody has to look whether they have changed.
        compileall.compile_dir(
            str(target),
            ddir=str(directory / key),
            quiet=2,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        target.rename(directory / key)
    finally:
        requirements.unlink()
        shutil.rmtree(partial, ignore_errors=True)
    return []


def prune(directory: Path, key: str) -> list[str]:
    """Delete everything in DIRECTORY but KEY, and DIRECTORY when it is empty then."""
    for entry in directory.iterdir():
        if entry.name == key:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    if not key:
        directory.rmdir()
    return []


def main() -> int:
    verb, directory, key, *rest = sys.argv[1:]
    place = Path(directory)
    if verb == "install":
        wrong = install(place, key, *rest)
    elif verb == "prune":
        wrong = prune(place, key)
    else:
        wrong = list(damaged(place / key))
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

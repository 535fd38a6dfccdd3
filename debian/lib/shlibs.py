"""Find the Debian packages that the compiled code needs: shlibs:Depends.

Many wheels bring private copies of libraries. Which library a module gets at
run time depends on whose module it is: the private krb5 of one distribution
must satisfy that distribution alone, while for all others the same name means
the system's library, which then has to be in Depends. So each run of
dpkg-shlibdeps is about one distribution with private libraries, and told about
those and no others, or about those that have none. dpkg-gencontrol merges what
the runs say; so the long ones are split, to fill all processors.

What a run says depends on the bytes of its distribution's or its own files and on the
packages of the build root. It is kept in the cache under the hash of these, as bytecode is
(see bytecode.py), so that a build asks only for what has changed.

A library that is neither private nor in the build root is an error: it would
be a dependency that nobody declares.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import elf
from dists import Distribution, distributions

# As many files as a run takes: it has to read the system libraries' symbols once more.
_MOST = 200
# Where the objdump for libraries is.
_SLIM = Path(__file__).resolve().parent / "slim"
# The packages of the build root with their versions, which decide about their libraries.
_PACKAGES = Path("/var/lib/dpkg/status")


@dataclass
class Group:
    """Modules that see the same private libraries."""

    name: str
    digests: dict[Path, str] = field(default_factory=dict)
    private: list[Path] = field(default_factory=list)
    modules: list[Path] = field(default_factory=list)
    programs: list[Path] = field(default_factory=list)
    needed: dict[str, Path] = field(default_factory=dict)
    provided: set[str] = field(default_factory=set)


def scan(dist: Distribution) -> Group:
    """The compiled files of a distribution, what they need and provide."""
    group = Group(dist.name)
    directories: set[Path] = set()
    for path in sorted({dist.locate(row) for row in dist.rows()}):
        if path.is_symlink() or not elf.is_elf(path):
            continue
        data = path.read_bytes()
        if not elf.supported(data):
            raise SystemExit(f"shlibs: {path}: of another architecture; prune it")
        group.digests[path] = hashlib.sha256(data).hexdigest()
        soname = elf.soname(data)
        (group.programs if elf.is_program(data) else group.modules).append(path)
        group.needed.update(dict.fromkeys(elf.needed(data), path))
        # What others may link to: by SONAME or, failing that, by file name.
        group.provided |= {path.name} | ({soname} if soname else set())
        directories.add(path.parent)
    private = group.provided & group.needed.keys()
    group.private = sorted(
        directory
        for directory in directories
        if any((directory / name).exists() for name in private)
    )
    return group


def system_libraries() -> set[str]:
    """The sonames that the dynamic linker finds by itself in this root."""
    listing = subprocess.run(
        ["/sbin/ldconfig", "-p"], check=True, capture_output=True, text=True
    ).stdout
    return {line.split()[0] for line in listing.splitlines() if " => " in line}


def check(groups: list[Group]) -> None:
    """Every needed library is private to its distribution or the system's."""
    system = system_libraries()
    errors = [
        f"shlibs: {path} ({group.name}) needs {name}, which is neither in the distribution nor "
        "in the build root: add its -dev package to debian.txt"
        for group in groups
        for name, path in sorted(group.needed.items())
        if name not in group.provided | system
    ]
    if errors:
        raise SystemExit("\n".join(errors))


@dataclass(frozen=True)
class Run:
    """One run of dpkg-shlibdeps, over some of a group's files, all libraries or programs."""

    group: Group
    files: list[Path]
    slim: bool

    def key(self, tree: Path, base: str) -> str:
        """The hash of all that decides what it says; ``base`` is that of what is not its own."""
        seen = sorted(self.group.digests) if self.group.private else self.files
        names = [*map(str, self.group.private), "", *map(str, self.files), ""]
        names += [f"{path} {self.group.digests[path]}" for path in seen]
        text = "\n".join([base, str(self.slim), *names]).replace(f"{tree}/", "")
        return hashlib.sha256(text.encode()).hexdigest()


def base_key() -> str:
    """The hash of the build root's packages and of this program."""
    here = Path(__file__).resolve().parent
    files = (_PACKAGES, here / "shlibs.py", here / "elf.py", _SLIM / "objdump")
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def runs(groups: list[Group]) -> list[Run]:
    """What dpkg-shlibdeps is to be run for, the longest first."""
    found = []
    for group in groups:
        for files, slim in ((group.modules, True), (group.programs, False)):
            found += [Run(group, files[i : i + _MOST], slim) for i in range(0, len(files), _MOST)]
    return sorted(found, key=lambda run: -sum(path.stat().st_size for path in run.files))


def shlibdeps(run: Run) -> list[str]:
    """The dependencies of a run's files, by dpkg-shlibdeps."""
    path = os.environ["PATH"]
    result = subprocess.run(
        # --warnings=0: extension modules leave symbols to the interpreter and
        # link more than they use; neither is ours to mend.
        ["dpkg-shlibdeps", "-O", "--warnings=0"]
        + [f"-l{directory}" for directory in run.group.private]
        + [f"-e{file}" for file in run.files],
        env={**os.environ, "PATH": f"{_SLIM}:{path}" if run.slim else path},
        check=True,
        capture_output=True,
        text=True,
    )
    prefix = "shlibs:Depends="
    for line in result.stdout.splitlines():
        if line.startswith(prefix):
            return [bound(dependency.strip()) for dependency in line[len(prefix) :].split(",")]
    return []


def bound(dependency: str) -> str:
    """A dependency without variables of somebody else's build.

    Some symbols files ask for exactly their own version, as `${binary:Version}`, for
    symbols that are internal to their source (krb5 does). In our control file that would
    be our version. What the library was when this was built, or later, is what can be
    asked for: its security updates are to be installable.
    """
    if "${" not in dependency:
        return dependency
    package = dependency.split(maxsplit=1)[0]
    version = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Version}", package],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return f"{package} (>= {version.rpartition('-')[0] or version})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path)
    parser.add_argument("substvars", type=Path)
    parser.add_argument("--cache", type=Path, help="directory of what runs said before")
    parser.add_argument("--new", type=Path, help="directory for what is said now")
    options = parser.parse_args()
    tree = options.tree.resolve()
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
    groups = [g for g in pool.map(scan, distributions(tree)) if g.modules or g.programs]
    check(groups)
    rest = Group("all others")
    for group in groups:
        if not group.private:
            rest.modules += group.modules
            rest.programs += group.programs
            rest.digests |= group.digests
    groups = [rest, *(group for group in groups if group.private)]
    depends: dict[str, set[str]] = {group.name: set() for group in groups}
    base = base_key()

    def said(run: Run) -> list[str]:
        name = run.key(tree, base)
        kept = options.cache / name[:2] / name if options.cache else None
        if kept and kept.exists():
            before: list[str] = json.loads(kept.read_text(encoding="utf-8"))
            return before
        found = shlibdeps(run)
        if options.new:
            (options.new / name).write_text(json.dumps(found), encoding="utf-8")
        return found

    todo = runs(groups)
    for run, found in zip(todo, pool.map(said, todo)):
        depends[run.group.name].update(found)
    for group in groups:
        private = ", ".join(str(directory.relative_to(tree)) for directory in group.private)
        print(
            f"  {group.name}: {', '.join(sorted(depends[group.name]))}"
            + (f" (private: {private})" if private else "")
        )
    lines = []
    if options.substvars.exists():
        lines = options.substvars.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if not line.startswith("shlibs:Depends=")]
    lines.append(f"shlibs:Depends={', '.join(sorted(set().union(*depends.values())))}")
    options.substvars.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

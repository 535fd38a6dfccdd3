"""What a plugin is to be built for, and whether it may be: decided before anything is built."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.version import Version

from .. import lockfile, log, needs, record, roots, stage
from .. import make as airflow
from ..binary import Binary, named
from ..choice import Target
from ..errors import UsageError
from ..lockfile import Lock
from ..paths import Paths
from ..settings import Settings
from ..stage import Recipe
from ..versions import Matrix
from ..wheels import Wheel
from . import fit, metadata, neighbours, skeleton
from .skeleton import Package

# Raise it when a package changes for a reason that is in no other input.
_FORMAT = "1"
# What stdeb is, and what the packages that it describes are built with.
_ROOT = ("python3-stdeb", "python3-all", "python3-all-dev", "python3-setuptools")


@dataclass(frozen=True)
class Context:
    """What a plugin is built for and with: ``tools`` are plugins.lock."""

    paths: Paths
    matrix: Matrix
    recipe: Recipe
    airflow: Binary
    root: roots.Root
    tools: Lock
    uv: Path
    settings: Settings

    @property
    def directory(self) -> Path:
        """Where the package is to be."""
        return record.directory(self.paths.dist, self.recipe.cell)


def context(paths: Paths, matrix: Matrix, settings: Settings, uv: Path) -> Context:
    """Read all that does not depend on the plugin. Raises UsageError and ConfigError."""
    if not settings.source:
        raise UsageError("no plugin was given", hint="write SOURCE=, a path or a name on the index")
    version, _, suite = settings.target.partition("/")
    if not version:
        raise UsageError(
            "it was not said for which Airflow", hint="write FOR=, as in FOR=2.1.0/bullseye"
        )
    recipe = airflow.recipe(paths, matrix, replace(settings, version=version, suite=suite))
    return Context(
        paths,
        matrix,
        recipe,
        named(settings.name),
        roots.root(recipe.cell.suite, "buildd", [*recipe.build_packages, *_ROOT]),
        lockfile.load(paths.requirements / "plugins.lock"),
        uv,
        settings,
    )


def check(this: Context, wheel: Wheel, target: Target, installed: neighbours.Package) -> Package:
    """The package that ``wheel`` becomes. Raises ConflictError when it does not fit."""
    cell, lock = this.recipe.cell, this.recipe.lock
    plugin = metadata.read(wheel.path, cell.suite.python)
    metadata.check_named(plugin)
    there = neighbours.plugins(this.paths, cell, this.airflow)
    upstream = neighbours.upstream(cell)
    brought = neighbours.brought(one for one in there if one.airflow == upstream)
    brought.pop(plugin.name, None)
    needed = fit.check(plugin, lock, target.python, brought)
    for other in _others(this):
        fit.check(plugin, other, target.python, brought)
    own = skeleton.package_name(this.airflow, plugin)
    prefix = f"/usr/lib/{this.airflow.name}"
    own_version = Version(cell.version.name)
    line = f"{own_version.major}.{own_version.minor + 1}"
    later = _later(this, own_version)
    upto = fit.upto(plugin, later, target.python, line)
    # Also one that was built for another Airflow may be on the same host.
    others = [one for one in there if one.meets(upstream, upto)]
    fit.check_files(plugin, neighbours.files([installed, *others], but=own), prefix)
    for directory in plugin.left_out:
        log.info(f"  note: left out, since other packages have one, too: {directory}")
    for note in fit.notes(plugin, target.python):
        log.info(f"  note: {note}")
    if against := fit.first_against(plugin, later, target.python):
        log.info(
            f"  note: it does not agree with the lock of {fit.title(against)}, and will refuse that"
        )
    debian_tree = this.recipe.debian
    return Package(
        plugin=plugin,
        wheel=wheel,
        cell=cell,
        airflow=this.airflow,
        upto=upto,
        others=needed,
        maintainer=needs.control_field(debian_tree["control"][1].decode(), "Maintainer"),
        # It is small; and lintian knows no other than Debian's own.
        compression=("none", 0) if this.settings.fast else ("xz", 6),
        library={
            name.removeprefix("lib/"): file
            for name, file in debian_tree.items()
            if name.startswith("lib/")
        },
        templates=stage.read_tree(this.paths.project / "build" / "plugin"),
        directories=skeleton.own_directories(plugin, installed.files, prefix),
    )


def key(package: Package, root: Path) -> str:
    """The hash of all inputs of ``package``: with the same key it need not be rebuilt."""
    facts = [_FORMAT, package.wheel.sha256, json.dumps(sorted(roots.installed(root).items()))]
    digest = hashlib.sha256("\0".join(facts).encode())
    for name, (mode, content) in sorted(skeleton.files(package).items()):
        digest.update(f"{name} {mode:o} {len(content)}\0".encode() + content)
    return digest.hexdigest()


def _later(this: Context, own: Version) -> list[Lock]:
    """The locks of later patch levels of the same line, for the same suite, in order."""
    suite = this.recipe.cell.suite.name
    found = []
    for name in sorted(this.matrix.versions, key=Version):
        version = Version(name)
        same = suite in this.matrix.versions[name].suites
        if same and version > own and version.release[:2] == own.release[:2]:
            found += [lockfile.load(path) for path in _locks(this, name)]
    return found


def _others(this: Context) -> list[Lock]:
    """The other lock of the same version: the package with it has the dependency's range, too."""
    own = this.recipe.lock.path
    paths = _locks(this, this.recipe.cell.version.name)
    return [lockfile.load(path) for path in paths if path != own]


def _locks(this: Context, version: str) -> list[Path]:
    """The locks that ``version`` has for this suite: its own, that with security."""
    names = (this.recipe.cell.suite.name, f"{this.recipe.cell.suite.name}-security")
    found = [this.paths.requirements / version / f"{name}.lock" for name in names]
    return [path for path in found if path.exists()]


def check_version(settings: Settings, package: Package) -> None:
    """Raise UsageError when VERSION= is set and ``package`` is of another one."""
    wanted, found = settings.version, package.plugin.version
    if wanted and Version(wanted) != Version(found):
        raise UsageError(
            f"VERSION={wanted!r}: {settings.source} is {package.plugin.name} {found}",
            hint="leave VERSION out, or give the source of that version",
        )

"""The source tree of a plugin's package: what stdeb is given, and what goes beside its debian/.

Pure but for `write`. stdeb reads a setup.py, which many sources do not have, and whose
code would run; so it gets one that says what the wheel says, and no more.

    stub/setup.py, stub/stdeb.cfg   stdeb makes debian/control and debian/changelog of these
    stub/control.sed                brings that control file to this package
    PACKAGE/debian/                 everything else; plugin.mk is what debian/rules must know
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.version import Version

from ..binary import Binary
from ..versions import Cell
from ..wheels import Wheel
from . import neighbours
from .fit import Brought
from .metadata import Plugin

_STUB = """\
# Metadata of a wheel, for stdeb.
from setuptools import Distribution, setup


class Stub(Distribution):
    def has_ext_modules(self):
        return {native}


setup(
    distclass=Stub,
    name={name!r},
    version={version!r},
    description={description!r},
    long_description={long_description!r},
    url={url!r},
    packages=[],
    py_modules=[],
)
"""
_ENTRY_POINTS = 8  # stdeb takes 20 lines of a description
_WIDTH = 76

Files = Mapping[str, tuple[int, bytes]]


@dataclass(frozen=True, kw_only=True)
class Package:
    """Everything that decides the bytes of a plugin's package.

    ``others`` are the plugin packages it needs, ``upto`` is the first version of Airflow
    that it is not for; ``library`` is debian/lib/, ``templates`` are build/plugin/.
    """

    plugin: Plugin
    wheel: Wheel
    cell: Cell
    airflow: Binary
    upto: str
    others: Sequence[Brought]
    maintainer: str
    compression: tuple[str, int]
    library: Files
    templates: Files
    directories: tuple[str, ...]

    @property
    def name(self) -> str:
        """The package's name."""
        return package_name(self.airflow, self.plugin)

    @property
    def prefix(self) -> str:
        """The tree that its files are in."""
        return f"/usr/lib/{self.airflow.name}"

    @property
    def revision(self) -> str:
        """The Debian revision: packages for each Airflow and suite, the newest the highest."""
        own = neighbours.upstream(self.cell)
        return f"1+airflow{own}{self.cell.suite.deb_suffix}1"

    @property
    def deb_version(self) -> str:
        """The Debian version."""
        return f"{debian_version(self.plugin.version)}-{self.revision}"

    @property
    def stem(self) -> str:
        """How its files are called, without .deb; file names have no epoch."""
        version = self.deb_version.rpartition(":")[2]
        return f"{self.name}_{version}_{self.plugin.architecture}"

    @property
    def depends(self) -> str:
        """What it needs: that Airflow, its line, its Python, and other plugins."""
        own = self.airflow.name
        relations = [
            f"{own} (>= {neighbours.upstream(self.cell)}~)",
            f"{own} (<< {debian_version(self.upto)}~)",
            self.airflow.for_plugins(self.cell.suite.python),
            *(f"{other.package} (= {other.deb_version})" for other in self.others),
        ]
        return ", ".join(relations)


def package_name(airflow: Binary, plugin: Plugin) -> str:
    """How the package of ``plugin`` for the tree of ``airflow`` is called."""
    return f"{airflow.name}-plugin-{plugin.name}"


def debian_version(version: str) -> str:
    """A Python version (PEP 440) as a Debian one (policy 5.6.12) of the same order.

    >>> [debian_version(text) for text in ("1.0rc1", "1.0.post1", "1.0.dev3", "1!2.0")]
    ['1.0~rc1', '1.0+post1', '1.0~~dev3', '1:2.0']
    """
    text = re.sub(r"(?<=\d)(a|b|rc)(?=\d)", r"~\1", str(Version(version)))
    # After 1.0 and before 1.0.1; before 1.0a1.
    text = text.replace(".post", "+post").replace(".dev", "~~dev")
    return text.replace("!", ":")


def own_directories(plugin: Plugin, theirs: Iterable[str], prefix: str) -> tuple[str, ...]:
    """The topmost directories of ``plugin``'s modules that Airflow's package does not have."""
    taken = {str(above) for path in theirs for above in PurePosixPath(path).parents}
    found = set()
    for path in plugin.files:
        parents = [str(above) for above in PurePosixPath(f"{prefix}/{path}").parents]
        own = [above for above in parents if above not in taken]
        if own:
            found.add(own[-1])
    return tuple(sorted(found))


def files(package: Package) -> dict[str, tuple[int, bytes]]:
    """The tree without the wheel."""
    top = f"{package.name}/debian"
    plugin = package.plugin
    made = {
        "stub/setup.py": _setup(package),
        "stub/stdeb.cfg": _stdeb_cfg(package),
        "stub/control.sed": _filled(package, "control.sed"),
        f"{top}/plugin.mk": plugin_mk(package),
        f"{top}/requirements.lock": (
            f"{plugin.name}=={plugin.version} --hash=sha256:{package.wheel.sha256}\n"
        ),
        f"{top}/inventory.json": _inventory(package),
        f"{top}/copyright": _copyright(package),
        f"{top}/{package.name}.prerm": _filled(package, "prerm"),
        f"{top}/{package.name}.triggers": _filled(package, "triggers"),
        f"{top}/{package.name}.lintian-overrides": _filled(package, "lintian-overrides"),
        f"{top}/source/format": "3.0 (native)\n",
    }
    found = {name: (0o644, text.encode()) for name, text in made.items()}
    found[f"{top}/rules"] = (0o755, package.templates["rules"][1])
    found[f"{top}/lib/collect.py"] = package.templates["collect.py"]
    return found | {f"{top}/lib/{name}": file for name, file in package.library.items()}


def write(package: Package, target: Path) -> None:
    """Write the tree, and the wheel into it, to ``target``, which must not exist."""
    for name, (mode, content) in files(package).items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
    wheel = target / package.name / "debian" / "wheel" / package.wheel.path.name
    wheel.parent.mkdir()
    wheel.write_bytes(package.wheel.path.read_bytes())


def plugin_mk(package: Package) -> str:
    """debian/plugin.mk: make assignments that debian/rules includes."""
    method, level = package.compression
    fields = {
        "PACKAGE": package.name,
        "PREFIX": package.prefix,
        "PYTHON": package.cell.suite.python,
        "COMPRESSION": method,
        "COMPRESSION_LEVEL": str(level),
        "LEFT_OUT": " ".join(package.plugin.left_out),
        "UV": "/airflow-deb/uv",
        "BUILD_PATHS": "/airflow-deb/",
    }
    return "".join(f"{key} := {value}\n" for key, value in fields.items())


def _setup(package: Package) -> str:
    plugin = package.plugin
    return _STUB.format(
        native=not plugin.pure,
        name=plugin.name,
        version=plugin.version,
        description=synopsis(plugin),
        long_description=description(package),
        url=plugin.homepage,
    )


def _stdeb_cfg(package: Package) -> str:
    epoch, _, version = debian_version(package.plugin.version).rpartition(":")
    fields = {
        "Source": package.name,
        "Package3": package.name,
        "Suite": package.cell.suite.name,
        "Maintainer": package.maintainer,
        "Epoch": epoch,
        "Forced-Upstream-Version": version,
        "Debian-Version": package.revision,
        "Depends3": package.depends,
    }
    lines = "".join(f"{key}: {value}\n" for key, value in fields.items() if value)
    return f"[{package.plugin.name}]\n{lines}"


def synopsis(plugin: Plugin) -> str:
    """The description's first line, of the 60 characters that stdeb grants."""
    text = re.sub(r"^(an?|the) ", "", plugin.summary.rstrip(". "), flags=re.IGNORECASE)
    return textwrap.shorten(text or f"{plugin.name}, for Apache Airflow", 60, placeholder="")


def description(package: Package) -> str:
    """The extended description: what it is, where it goes, what Airflow finds of it."""
    plugin = package.plugin
    whole = [] if plugin.summary.endswith(synopsis(plugin)) else _wrapped(plugin.summary)
    place = (
        f"Its modules are in the virtual environment of the package {package.airflow.name}, "
        f"{package.prefix}, where every instance has them."
    )
    lines = [*whole, *_wrapped(place)]
    points = plugin.entry_points[:_ENTRY_POINTS]
    if points:
        more = len(plugin.entry_points) - len(points)
        counted = f" ({more} more are not listed)" if more else ""
        lines += ["", f"Airflow and others find these entry points{counted}:"]
        lines += [f"  {point.partition(' = ')[0]}" for point in points]
    locked = package.wheel.locked
    lines += ["", f"Made from {locked.filename}, sha256", locked.sha256]
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)[:4]


def _inventory(package: Package) -> str:
    """What is inside, in the form that debian/lib/inventory.py has for Airflow's package."""
    plugin, locked = package.plugin, package.wheel.locked
    item = {
        "name": plugin.name,
        "version": plugin.version,
        "licence": plugin.licence or "not stated in the metadata",
        "homepage": plugin.homepage,
        "source": locked.filename,
        "kind": "wheel" if locked.is_wheel else "sdist",
        "size": locked.size,
        "sha256": locked.sha256,
    }
    return json.dumps({"distributions": [item]}, indent=1) + "\n"


def _copyright(package: Package) -> str:
    """debian/copyright (DEP 5) of what the metadata says."""
    plugin = package.plugin
    licence = re.sub(r"[^A-Za-z0-9.+-]+", "-", plugin.licence[:60]).strip("-") or "unstated"
    return (
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
        f"Upstream-Name: {plugin.name}\n"
        + (f"Source: {plugin.homepage}\n" if plugin.homepage else "")
        + f"\nFiles: *\nCopyright: {plugin.author or 'its authors'}\nLicense: {licence}\n"
        f" As its metadata says; texts that came with it are in the directory\n"
        f" of its metadata, {package.prefix}/lib/python{package.cell.suite.python}\n"
        f" /site-packages/…-{plugin.version}.dist-info.\n"
    )


def _filled(package: Package, name: str) -> str:
    text = package.templates[name][1].decode("utf-8")
    values = {
        "@PACKAGE@": package.name,
        "@PREFIX@": package.prefix.lstrip("/"),
        "@DIRECTORIES@": "\n".join(package.directories),
    }
    for marker, value in values.items():
        text = text.replace(marker, value)
    return text

"""Plugin packages for an Airflow that `make deb` has built, made by `make plugin`."""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path

from tests.artifact import Artifact

from airflow_deb import paths, settings, versions
from airflow_deb.machine import Machine
from airflow_deb.paths import Paths
from airflow_deb.plugin import make as plugins
from airflow_deb.run import run

TEAM = Path(__file__).parent / "team_operators"
# Two that are on the index: one is found by its provider's entry point, one by a plugin's.
REAL = ("airflow-provider-fivetran", "airflow-code-editor")


class Bench:
    """A place to build plugins in that leaves dist/ alone."""

    def __init__(self, top: Path, artifact: Artifact) -> None:
        self.top = top
        self.cell = artifact.cell
        top.mkdir(parents=True)
        for name in ("versions.sh", "requirements", "debian", "build", "scripts"):
            (top / name).symlink_to(paths.PROJECT / name)
        self.places = Paths(top, paths.cache())
        self.dist = self.places.dist / self.cell.suite.name
        self.dist.mkdir(parents=True)
        for path in artifact.directory.glob(f"{artifact.deb.stem}.*"):
            (self.dist / path.name).symlink_to(path)

    def build(self, source: str) -> Path:
        """The package of ``source``."""
        cell = f"{self.cell.version.name}/{self.cell.suite.name}"
        wanted = settings.Settings(source=source, target=cell, fast=True)
        uv = Path(sysconfig.get_path("scripts")) / "uv"
        plugins.make(self.places, versions.load(self.places.versions_sh), wanted, uv)
        found = self.dist.glob("airflow-plugin-*.deb")
        return max(found, key=lambda deb: deb.stat().st_mtime_ns)

    def team(self, release: str) -> Path:
        """The package of the tests' own plugin, as its ``release``."""
        source = self.top / "sources" / release
        shutil.copytree(TEAM, source)
        for name in ("pyproject.toml", "src/team_operators/__init__.py"):
            text = (source / name).read_text("utf-8")
            (source / name).write_text(text.replace('"1.0"', f'"{release}"'), "utf-8")
        return self.build(str(source))


def carry(machine: Machine, deb: Path) -> str:
    """Put ``deb`` into ``machine``; its name there."""
    target = f"/root/{deb.name}"
    run(["cp", deb, f"/proc/{machine.leader}/root{target}"], root=True)
    return target

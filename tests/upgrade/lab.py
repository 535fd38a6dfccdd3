"""A lab whose machines have an Airflow and find the next one beside it."""

from __future__ import annotations

from pathlib import Path

from tests import artifact
from tests.artifact import Artifact
from tests.host.lab import APT, BASE, Lab

from airflow_deb import container, paths, roots
from airflow_deb.binary import AIRFLOW, INSTANCES

PACKAGES = "/packages"
# What they need beside: a server that keeps its data over everything that happens.
SERVICES = ("postgresql", "curl", "procps")


class UpgradeLab(Lab):
    """`tests.host.lab.Lab` with the packages of all cells in /packages/SUITE."""

    def __init__(self, found: Artifact, places: paths.Paths, expected: dict[str, object]) -> None:
        super().__init__(found, places, expected, name="moves")
        self._packages = places.dist

    def base(self) -> tuple[Path, ...]:
        """The clean Debian. Debian 12 wants /usr merged, which cannot be done on an overlay."""
        suite = self.artifact.cell.suite
        merged = ("usrmerge",) if suite.debian < 12 else ()
        root = roots.root(suite, "minbase", (*BASE, *merged))
        return (roots.ensure(self._places, root),)

    def before(self) -> tuple[Path, ...]:
        """A Debian with both packages of the Airflow that is to be upgraded, and a server."""
        layers = self.install("before", self.base(), both(self.artifact))
        return self.install("services", layers, SERVICES, idle=True)

    def ready(
        self, name: str, under: tuple[Path, ...], wanted: Artifact
    ) -> tuple[tuple[Path, ...], str]:
        """Layers with all that an upgrade to ``wanted`` has to download; the command for it.

        Where that is of another Debian, apt's sources are that one's, and so is the command.
        """
        old, new = self.artifact.cell.suite.name, wanted.cell.suite.name
        spec = self._spec(f"layer-{name}", under)
        container.prepare(spec)
        verb = "install"
        if old != new:
            verb = "dist-upgrade"
            change = f"sed -i 's/\\b{old}\\b/{new}/g' /etc/apt/sources.list"
            container.again(spec, ["sh", "-euc", change])
        # Configuration files are not what is tested.
        command = f"{APT} -o Dpkg::Options::=--force-confold {verb} {' '.join(both(wanted))}"
        self._fetch(spec, f"{command} --download-only")
        return (spec.upper, *under), command


def both(found: Artifact) -> list[str]:
    """The two packages of a cell as they are named inside."""
    version, suite = found.cell.version.name, found.cell.suite.name
    debs = [artifact.find(binary, version, suite).deb.name for binary in (AIRFLOW, INSTANCES)]
    return [f"{PACKAGES}/{suite}/{deb}" for deb in debs]

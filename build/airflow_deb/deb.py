"""The packages themselves: dpkg-buildpackage in a container, then lintian."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from . import container, log
from .binary import Binary
from .container import Bind, Spec
from .errors import BuildError, VerifyError
from .paths import Paths
from .stage import Recipe, write
from .wheels import Wheel, gather

_BUILD = """
cp -r --no-preserve=ownership /airflow-deb/in/. /build/
chmod -R u=rwX,go=rX .
dpkg-buildpackage --unsigned-source --unsigned-changes --build="$1"
mkdir /build/out
mv /build/*.deb /build/*.buildinfo /build/*.changes /build/out/
"""
# lintian refuses nothing as root but warns, so it runs as nobody.
_LINTIAN = """
export HOME=/tmp
exec setpriv --reuid=nobody --regid=nogroup --clear-groups \
    lintian --color never --no-tag-display-limit --fail-on "$1" /build/out/*.changes
"""


def specification(paths: Paths, recipe: Recipe, binary: Binary, root: Path, uv: Path) -> Spec:
    """The container that the package ``binary`` of ``recipe`` is built in."""
    here = scratch(paths, recipe, binary)
    binds = [Bind(here / "source", "/airflow-deb/in")]
    if binary.is_airflow:
        binds.append(Bind(here / "wheelhouse", "/airflow-deb/wheelhouse"))
        binds.append(Bind(uv, "/airflow-deb/uv"))
    return Spec(
        name=f"airflow-deb-{recipe.cell.name}-{binary.build}",
        layers=(root,),
        scratch=here / "deb",
        binds=tuple(binds),
        env={
            "SOURCE_DATE_EPOCH": str(recipe.epoch),
            "DEB_BUILD_OPTIONS": f"parallel={os.cpu_count()}",
            "DEBIAN_FRONTEND": "noninteractive",
        },
        workdir=f"/build/{recipe.source_name}",
    )


def scratch(paths: Paths, recipe: Recipe, binary: Binary) -> Path:
    """The directory of all that a build of ``binary`` writes before it is published."""
    return paths.run(f"{recipe.cell.name}/{binary.name}")


def build(
    recipe: Recipe, binary: Binary, spec: Spec, wheels: Sequence[Wheel], step: log.Step
) -> list[Path]:
    """Build the package ``binary``; the artifacts, still inside ``spec``'s scratch.

    Raises BuildError with the end of dpkg-buildpackage's output.
    """
    source = spec.binds[0].source
    container.remove(source)
    write(recipe, binary, wheels, source / recipe.source_name)
    if binary.is_airflow:
        wheelhouse = spec.binds[1].source
        container.remove(wheelhouse)
        gather(wheelhouse, ((wheel.path, wheel.path.name) for wheel in wheels))
    container.prepare(spec)
    (spec.upper / "build").mkdir()  # For --chdir, which nspawn checks before it starts.
    (spec.upper / "build" / recipe.source_name).mkdir()

    def follow(line: str) -> None:
        if line.startswith(("   dh_", "dh_", "   debian/rules", "dpkg-")):
            step.progress(line.strip())

    try:
        container.again(spec, ["sh", "-euc", _BUILD, "build", binary.build], on_line=follow)
    except BuildError as error:
        error.message = f"dpkg-buildpackage failed for {binary.name} of {recipe.cell.name}"
        raise
    out = spec.upper / "build" / "out"
    found = sorted(out.iterdir())
    if not any(path.suffix == ".deb" for path in found):
        raise BuildError(f"dpkg-buildpackage left no .deb in {out}", hint=log.where())
    return found


def lint(spec: Spec, fail_on: str = "error,warning") -> str:
    """Run the suite's own lintian on what was built; its verdict in a few words.

    Raises VerifyError when it finds what ``fail_on`` names, BuildError when it
    breaks off.
    """
    command = ["sh", "-euc", _LINTIAN, "lint", fail_on]
    try:
        done = container.again(spec, command, on_line=lambda line: None)
    except BuildError as error:
        if not re.search(r"^[EW]: ", error.detail, re.MULTILINE):
            error.message = "lintian did not come to its end"
            raise
        raise VerifyError("lintian found errors or warnings", detail=error.detail) from error
    overridden = re.search(r"^N: (\d+ \w+ overridden)", done.stdout, re.MULTILINE)
    count = len(re.findall("^W: ", done.stdout, re.MULTILINE))
    warnings = f"{count} warnings, which are in the log" if count else "no warning"
    return f"lintian: no error, {warnings}" + (f", {overridden[1]}" if overridden else "")


def publish(artifacts: Sequence[Path], target: Path) -> list[Path]:
    """Copy ``artifacts`` to ``target``; each appears there whole."""
    target.mkdir(parents=True, exist_ok=True)
    published = []
    for artifact in artifacts:
        partial = target / f".{artifact.name}.partial"
        shutil.copyfile(artifact, partial)
        published.append(partial.replace(target / artifact.name))
    return published


def tree(spec: Spec, recipe: Recipe, binary: Binary) -> Path:
    """What the package was packed from, with its DEBIAN/control."""
    return spec.upper / "build" / recipe.source_name / "debian" / binary.name


def installed_size(tree: Path) -> int:
    """The Installed-Size (KiB) that dpkg-gencontrol wrote for the package packed from ``tree``."""
    control = tree / "DEBIAN/control"
    for line in control.read_text(encoding="utf-8").splitlines():
        if line.startswith("Installed-Size: "):
            return int(line.split()[1])
    raise BuildError(f"{control} has no Installed-Size")

"""The package itself: dh-virtualenv in a container, then lintian."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from . import container, log
from .container import Bind, Spec
from .errors import BuildError, UsageError, VerifyError
from .paths import Paths
from .stage import Recipe, write
from .wheels import Wheel, gather

_BUILD = """
cp -r --no-preserve=ownership /airflow-deb/in/. /build/
chmod -R u=rwX,go=rX .
dpkg-buildpackage --unsigned-source --unsigned-changes --build=binary
mkdir /build/out
mv /build/*.deb /build/*.buildinfo /build/*.changes /build/out/
"""
# lintian refuses nothing as root but warns, so it runs as nobody.
_LINTIAN = """
export HOME=/tmp
exec setpriv --reuid=nobody --regid=nogroup --clear-groups \
    lintian --color never --no-tag-display-limit --fail-on error,warning /build/out/*.changes
"""


def specification(paths: Paths, recipe: Recipe, root: Path, uv: Path) -> Spec:
    """The container that the package of ``recipe`` is built in."""
    cell = recipe.cell.name
    return Spec(
        name=f"airflow-deb-{cell}",
        layers=(root,),
        scratch=paths.run(f"{cell}/deb"),
        binds=(
            Bind(paths.run(f"{cell}/source"), "/airflow-deb/in"),
            Bind(paths.run(f"{cell}/wheelhouse"), "/airflow-deb/wheelhouse"),
            Bind(uv, "/airflow-deb/uv"),
        ),
        env={
            "SOURCE_DATE_EPOCH": str(recipe.epoch),
            "DEB_BUILD_OPTIONS": f"parallel={os.cpu_count()}",
            "DEBIAN_FRONTEND": "noninteractive",
        },
        workdir=f"/build/{recipe.source_name}",
    )


def build(
    paths: Paths, recipe: Recipe, spec: Spec, wheels: Sequence[Wheel], step: log.Step
) -> list[Path]:
    """Build the package of ``recipe``; the artifacts, still inside ``spec``'s scratch.

    Raises BuildError with the end of dpkg-buildpackage's output.
    """
    source, wheelhouse = (bind.source for bind in spec.binds[:2])
    container.remove(source)
    container.remove(wheelhouse)
    write(recipe, list(wheels), source / recipe.source_name)
    gather(wheelhouse, ((wheel.path, wheel.path.name) for wheel in wheels))
    container.prepare(spec)
    (spec.upper / "build").mkdir()  # For --chdir, which nspawn checks before it starts.
    (spec.upper / "build" / recipe.source_name).mkdir()

    def follow(line: str) -> None:
        if line.startswith(("   dh_", "dh_", "   debian/rules", "dpkg-")):
            step.progress(line.strip())

    try:
        container.again(spec, ["sh", "-euc", _BUILD], on_line=follow)
    except BuildError as error:
        error.message = f"dpkg-buildpackage failed for {recipe.cell.name}"
        raise
    out = spec.upper / "build" / "out"
    found = sorted(out.iterdir())
    if not any(path.suffix == ".deb" for path in found):
        raise BuildError(f"dpkg-buildpackage left no .deb in {out}", hint=log.where())
    return found


def lint(spec: Spec) -> str:
    """Run the suite's own lintian on what was built; its verdict in a few words.

    Raises VerifyError when it finds an error or a warning, BuildError when
    it breaks off.
    """
    try:
        done = container.again(spec, ["sh", "-euc", _LINTIAN], on_line=lambda line: None)
    except BuildError as error:
        if not re.search(r"^[EW]: ", error.detail, re.MULTILINE):
            error.message = "lintian did not come to its end"
            raise
        raise VerifyError("lintian found errors or warnings", detail=error.detail) from error
    overridden = re.search(r"^N: (\d+ \w+ overridden)", done.stdout, re.MULTILINE)
    return "lintian: no error, no warning" + (f", {overridden[1]}" if overridden else "")


def publish(artifacts: Sequence[Path], target: Path) -> list[Path]:
    """Copy ``artifacts`` to ``target``; each appears there whole."""
    target.mkdir(parents=True, exist_ok=True)
    published = []
    for artifact in artifacts:
        partial = target / f".{artifact.name}.partial"
        shutil.copyfile(artifact, partial)
        published.append(partial.replace(target / artifact.name))
    return published


def open_shell(spec: Spec) -> None:
    """Open a shell in the container that KEEP=1, or a failure, has left.

    Raises UsageError when there is none.
    """
    if not spec.upper.is_dir():
        raise UsageError(
            f"there is no build in {spec.scratch}", hint="one that fails, or KEEP=1, leaves one"
        )
    container.shell(spec)


def installed_size(upper: Path, source_name: str) -> int:
    """The Installed-Size (KiB) that dpkg-gencontrol wrote for the package."""
    control = upper / "build" / source_name / "debian/airflow/DEBIAN/control"
    for line in control.read_text(encoding="utf-8").splitlines():
        if line.startswith("Installed-Size: "):
            return int(line.split()[1])
    raise BuildError(f"{control} has no Installed-Size")

"""The packages themselves: dpkg-buildpackage in a container, then lintian."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from . import container, inputs, log
from .binary import Binary
from .circumstances import USUAL, Circumstances
from .container import Bind, Spec
from .errors import BuildError, VerifyError
from .paths import Paths
from .stage import Recipe, write
from .wheels import Wheel, gather, link

# The source tree was written by whoever started the builder, with their umask. A package
# may have a gigabyte, of which dpkg takes six checksums; debian/lib/Sums.pm is quicker.
_BUILD = """
chmod -R u=rwX,go=rX ..
chown -R "$1:" ..
shift
if [ -e debian/lib/Sums.pm ]; then
    export PERL5OPT="-I$PWD/debian/lib -MSums"
fi
"$@"
mkdir ../out
mv ../*.deb ../*.buildinfo ../*.changes ../out/
chmod -R u=rwX,go=rX ../out
"""
# Before .changes is made, which has the .buildinfo's checksum.
_ADD_INPUTS = 'for info in ../*.buildinfo; do cat ../inputs >> "$info"; done'
# Once it is packed, nothing but its METADATA (see contents.py) is needed of the tree. To
# delete tens of thousands of files waits for the disk, while dpkg is hashing.
_DROP_TREE = "find debian/{name}/usr/lib -type f ! -name METADATA -delete >/dev/null 2>&1 &"
# lintian refuses nothing as root but warns, so it runs as nobody. It unpacks the package,
# which is more than the container's /tmp, a tmpfs, may hold.
_LINTIAN = """
install --directory --owner=nobody ../lintian
export HOME=/tmp TMPDIR="$(realpath ../lintian)"
exec setpriv --reuid=nobody --regid=nogroup --clear-groups \
    lintian --color never --no-tag-display-limit "$@" ../out/*.changes
"""
# They take a third of lintian's time and cannot fail a build: all that the one finds is
# overridden (debian/airflow.lintian-overrides), and what the other finds is experimental.
_IDLE_CHECKS = ("languages/javascript/embedded", "languages/php/pear/embedded")


def specification(
    paths: Paths,
    recipe: Recipe,
    binary: Binary,
    root: Path,
    uv: Path,
    around: Circumstances = USUAL,
) -> Spec:
    """The container that the package ``binary`` of ``recipe`` is built in.

    What is built lies beside the overlay, not in it: a directory of the host's costs
    less for each of some hundred thousand files.
    """
    here = scratch(paths, recipe, binary)
    tree = Bind(here / "deb/build", around.build, read_only=False, shuffled=around.shuffled)
    binds = [tree, *around.binds]
    if binary.is_airflow:
        binds.append(Bind(here / "wheelhouse", "/airflow-deb/wheelhouse"))
        binds.append(Bind(uv, "/airflow-deb/uv"))
        binds.append(Bind(paths.bytecode, "/airflow-deb/bytecode"))
    return Spec(
        name=f"airflow-deb-{recipe.cell.name}-{binary.build}",
        layers=(root,),
        scratch=here / "deb",
        binds=tuple(binds),
        env={
            **around.environment(),
            "SOURCE_DATE_EPOCH": str(recipe.epoch),
            "DEB_BUILD_OPTIONS": f"parallel={around.parallel}",
            "DEBIAN_FRONTEND": "noninteractive",
        },
        workdir=f"{around.build}/{recipe.source_name}",
        hostname=around.hostname,
    )


def scratch(paths: Paths, recipe: Recipe, binary: Binary) -> Path:
    """The directory of all that a build of ``binary`` writes before it is published."""
    return paths.run(f"{recipe.cell.name}/{binary.name}")


def built_in(spec: Spec) -> Path:
    """Where on the host the directory is that ``spec``'s package is built in."""
    return spec.binds[0].source


def build(
    recipe: Recipe,
    binary: Binary,
    spec: Spec,
    wheels: Sequence[Wheel],
    uv: Path,
    step: log.Step,
    around: Circumstances = USUAL,
    *,
    keep: bool = False,
) -> list[Path]:
    """Build the package ``binary``; the artifacts, still inside ``spec``'s scratch.

    What it was packed from stays there with ``keep``; otherwise, of airflow, just what
    `tree` promises. Raises BuildError with the end of dpkg-buildpackage's output.
    """
    container.prepare(spec)
    top = built_in(spec)
    write(recipe, binary, wheels, top / recipe.source_name)
    if binary.is_airflow:
        wheelhouse = spec.scratch.parent / "wheelhouse"
        container.remove(wheelhouse)
        gather(wheelhouse, ((wheel.path, wheel.path.name) for wheel in wheels))
    (top / "inputs").write_text(
        inputs.field(recipe, binary, wheels, uv, spec.layers[0], top / recipe.source_name),
        encoding="utf-8",
    )
    command = ["dpkg-buildpackage", "--unsigned-source", "--unsigned-changes"]
    command += [f"--build={binary.build}", f"--hook-changes={_ADD_INPUTS}"]
    if binary.is_airflow and not keep:
        command.append(f"--hook-buildinfo={_DROP_TREE.format(name=binary.name)}")
    command = around.wrap(command)

    def follow(line: str) -> None:
        if line.startswith(("   dh_", "dh_", "   debian/rules", "dpkg-")):
            step.progress(line.strip())

    try:
        container.again(
            spec, ["sh", "-euc", _BUILD, "build", around.user, *command], on_line=follow
        )
    except BuildError as error:
        error.message = f"dpkg-buildpackage failed for {binary.name} of {recipe.cell.name}"
        raise
    out = top / "out"
    found = sorted(out.iterdir())
    if not any(path.suffix == ".deb" for path in found):
        raise BuildError(f"dpkg-buildpackage left no .deb in {out}", hint=log.where())
    return found


def keep_bytecode(paths: Paths, spec: Spec) -> None:
    """Have in the cache what was compiled or found out in ``spec``, each file whole."""
    for file in (built_in(spec) / "bytecode").iterdir():
        publish([file], paths.bytecode / file.name[:2])


def lint(spec: Spec, fail_on: str = "error,warning", without: Sequence[str] = _IDLE_CHECKS) -> str:
    """Run the suite's own lintian on what was built; its verdict in a few words.

    Raises VerifyError when it finds what ``fail_on`` names, BuildError when it
    breaks off. ``without`` are checks that are left out.
    """
    command = ["sh", "-euc", _LINTIAN, "lint", f"--fail-on={fail_on}"]
    command += [f"--dont-check-part={','.join(without)}"] if without else []
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
    """Hard-link (or copy) ``artifacts`` into ``target``; each appears there whole."""
    target.mkdir(parents=True, exist_ok=True)
    published = []
    for artifact in artifacts:
        partial = target / f".{artifact.name}.partial"
        partial.unlink(missing_ok=True)
        link(artifact, partial)
        published.append(partial.replace(target / artifact.name))
    return published


def tree(spec: Spec, recipe: Recipe, binary: Binary) -> Path:
    """What the package was packed from: DEBIAN/control and what `contents.of_tree` reads."""
    return built_in(spec) / recipe.source_name / "debian" / binary.name


def installed_size(tree: Path) -> int:
    """The Installed-Size (KiB) that dpkg-gencontrol wrote for the package packed from ``tree``."""
    control = tree / "DEBIAN/control"
    for line in control.read_text(encoding="utf-8").splitlines():
        if line.startswith("Installed-Size: "):
            return int(line.split()[1])
    raise BuildError(f"{control} has no Installed-Size")

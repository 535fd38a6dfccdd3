"""What `make deb` left in dist/SUITE as `make repo` takes it: packages with their papers.

The papers are dpkg-buildpackage's: .changes (Debian policy 5.5) says for which suite a
package was built, and has its sha256 and that of the .buildinfo, which says from what. A
package without them is half a build, and half a dist/ is not published. What else `make
deb` has left beside it (companions.py) comes along, so that also who gets the package from
the repository can verify it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from . import companions, log
from .companions import beside, sha256
from .errors import HashError, UsageError, VerifyError
from .needs import control_field

# The others are made by nobody, and no index would have them.
ARCHITECTURES = ("amd64", "all")
_BUILD = "build it again with make deb, or delete it"


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A package that can be published.

    ``sha256`` is what .changes says and the file is. ``packed`` is unset for one that is
    not compressed, as those of FAST=1 are. ``papers`` are what `make verify` asks for
    beside it and the .buildinfo; there are none of a package that has no sums.
    """

    deb: Path
    suite: str
    sha256: str
    buildinfo: Path
    packed: bool
    papers: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Changes:
    """What a .changes says: the suite, and the sha256 of the files that belong together."""

    path: Path
    suite: str
    sha256: dict[str, str]


def find(dist: Path, suites: Collection[str], *, suite: str, version: str) -> list[Path]:
    """The .deb files in ``dist``, those of ``suite`` and ``version`` where these are not empty.

    Raises UsageError for packages of a suite that is not one of ``suites``.
    """
    found = sorted(path for path in dist.glob("*/*.deb") if not path.name.startswith("."))
    for path in found:
        if not suite and path.parent.name not in suites:
            raise UsageError(
                f"{shown(path)}: {path.parent.name} is no suite",
                hint=f"those of versions.sh are {', '.join(suites)}",
            )
    return [
        path
        for path in found
        if suite in ("", path.parent.name) and (not version or is_version(path.name, version))
    ]


def is_version(file: str, wanted: str) -> bool:
    """Whether the .deb called ``file`` is of ``wanted``: an Airflow or a whole Debian version.

    >>> name = "airflow_2.10.5~rc1-1~deb12u1_amd64.deb"
    >>> is_version(name, "2.10.5rc1"), is_version(name, "2.10.5~rc1-1~deb12u1")
    (True, True)
    >>> is_version(name, "2.10.5"), is_version(name, "2.10.5rc1-1~deb12u1")
    (False, False)
    """
    version = file.split("_")[1] if file.count("_") == 2 else ""
    return wanted in (version, version.rpartition("-")[0].replace("~", ""))


def read(debs: list[Path], step: log.Step) -> list[Upload]:
    """``debs`` with their papers, every byte of them compared.

    Raises VerifyError for one that lacks some or is for another suite, HashError for one
    that is not the file that was built.
    """
    papers: dict[Path, Changes] = {}
    for directory in sorted({deb.parent for deb in debs}):
        for path in sorted(directory.glob("*.changes")):
            changes = parse(path.read_text(encoding="utf-8", errors="replace"), path)
            papers.update({directory / name: changes for name in changes.sha256})
    found = []
    for number, deb in enumerate(debs, 1):
        step.progress(f"{deb.name}, {number} of {len(debs)}")
        found.append(_upload(deb, papers))
    return found


def parse(text: str, path: Path) -> Changes:
    """The .changes ``text`` of ``path``; VerifyError when it is none."""
    words = control_field(text, "Checksums-Sha256").split()
    suite = control_field(text, "Distribution")
    if not suite or not words or len(words) % 3:
        raise VerifyError(f"{shown(path)} is no .changes of a build", hint=_BUILD)
    return Changes(path, suite, dict(zip(words[2::3], words[0::3], strict=True)))


def shown(path: Path) -> str:
    """``path`` as errors name it: dist/bullseye/airflow_2.1.0-1~deb11u1_amd64.deb."""
    return "/".join(path.parts[-3:])


def _upload(deb: Path, papers: dict[Path, Changes]) -> Upload:
    changes = papers.get(deb)
    if changes is None:
        raise VerifyError(f"{shown(deb)} is in no .changes beside it", hint=_BUILD)
    if changes.suite != deb.parent.name:
        raise VerifyError(
            f"{shown(deb)} was built for {changes.suite}, as {changes.path.name} says",
            hint=f"move it to {deb.parent.parent.name}/{changes.suite}, with what belongs to it",
        )
    if deb.name.rpartition("_")[2] not in [f"{name}.deb" for name in ARCHITECTURES]:
        raise VerifyError(
            f"{shown(deb)} is for another architecture than {' and '.join(ARCHITECTURES)}"
        )
    buildinfo = [deb.with_name(name) for name in changes.sha256 if name.endswith(".buildinfo")]
    if len(buildinfo) != 1 or not buildinfo[0].is_file():
        raise VerifyError(f"{shown(deb)} has no .buildinfo beside it", hint=_BUILD)
    for path in (deb, *buildinfo):
        if (got := sha256(path)) != changes.sha256[path.name]:
            raise HashError(
                f"{shown(path)} has the sha256 {got}, {changes.path.name} says "
                f"{changes.sha256[path.name]}",
                hint="it was changed after its build, or is being built: build it again",
            )
    return Upload(
        deb=deb,
        suite=changes.suite,
        sha256=changes.sha256[deb.name],
        buildinfo=buildinfo[0],
        packed=_is_packed(deb),
        papers=_papers(deb, buildinfo[0]),
    )


def _papers(deb: Path, buildinfo: Path) -> tuple[Path, ...]:
    """What `make verify` asks for beside ``deb`` and ``buildinfo``, each as the sums have it."""
    own = [beside(deb, suffix) for suffix in companions.ALL]
    if not any(path.is_file() for path in own):
        return ()
    sums = beside(deb, companions.SUMS)
    listed = companions.parse(sums.read_text(encoding="utf-8")) if sums.is_file() else {}
    wanted = [*own, *(deb.with_name(name) for name in listed)]
    if missing := sorted({path.name for path in wanted if not path.is_file()}):
        raise VerifyError(f"{shown(deb)} has no {', '.join(missing)} beside it", hint=_BUILD)
    for name, digest in listed.items():
        if (got := sha256(deb.with_name(name))) != digest:
            raise HashError(
                f"{shown(deb.with_name(name))} has the sha256 {got}, {sums.name} says {digest}",
                hint="it was changed after its build, or is being built: build it again",
            )
    return tuple(sorted({*wanted} - {deb, buildinfo}))


def _is_packed(deb: Path) -> bool:
    """Whether the files in ``deb`` are compressed: what its third member is called (deb(5))."""
    with deb.open("rb") as file:
        if file.read(8) != b"!<arch>\n":
            raise VerifyError(f"{shown(deb)} is no Debian package", hint=_BUILD)
        while len(header := file.read(60)) == 60 and header[48:58].strip().isdigit():
            name = header[:16].rstrip(b" /")
            if name.startswith(b"data.tar"):
                return name != b"data.tar"
            size = int(header[48:58])
            file.seek(size + size % 2, 1)
    raise VerifyError(f"{shown(deb)} has no files inside", hint=_BUILD)

"""debian.txt in requirements/VERSION/ (or default/): the Debian packages that a version needs.

One line each, ``KIND PACKAGE [SUITE …]  # reason``: ``build`` is needed in the
build root; ``depends``, ``recommends`` and ``suggests`` become the package's
own fields (Debian policy 7.2), for what dpkg-shlibdeps cannot see. Suites in
brackets limit a line to them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .binary import Binary
from .errors import ConfigError

KINDS = ("build", "depends", "recommends", "suggests")
_NAME = r"[a-z0-9][a-z0-9.+-]+(?: \([<>=]+ [^)\s]+\))?"
_PACKAGE = re.compile(rf"^{_NAME}(?: \| {_NAME})*$")
_LINE = re.compile(r"^(?P<kind>\S+)\s+(?P<package>[^\[#]+?)(?:\s+\[(?P<suites>[^\]]*)\])?$")


@dataclass(frozen=True)
class Need:
    """A Debian package, or alternatives, and what it is needed for."""

    kind: str
    package: str
    suites: tuple[str, ...]
    reason: str


def load(path: Path, suite: str) -> tuple[Need, ...]:
    """The needs of ``suite`` that the file at ``path`` declares, none without a file.

    Raises ConfigError with line and remedy for the first line that is wrong.
    """
    if not path.exists():
        return ()
    return parse(path.read_text(encoding="utf-8"), path, suite)


def parse(text: str, path: Path, suite: str) -> tuple[Need, ...]:
    """The needs of ``suite`` in ``text``, the content of ``path``."""
    found = []
    for number, raw in enumerate(text.splitlines(), 1):
        if not raw.strip() or raw.lstrip().startswith("#"):
            continue
        line, _, reason = (part.strip() for part in raw.partition("#"))
        place = f"{path.parent.name}/{path.name}:{number}"
        match = _LINE.match(line)
        if match is None or not _PACKAGE.match(match["package"]):
            raise ConfigError(
                f"{place}: not a package line: {line!r}",
                hint="write KIND PACKAGE [SUITE …]  # reason",
            )
        if match["kind"] not in KINDS:
            raise ConfigError(
                f"{place}: {match['kind']!r} is not a kind of need",
                hint=f"write one of {', '.join(KINDS)}",
            )
        if not reason:
            raise ConfigError(
                f"{place}: {match['package']} has no reason", hint="write it behind a #"
            )
        suites = tuple((match["suites"] or "").split())
        if not suites or suite in suites:
            found.append(Need(match["kind"], match["package"], suites, reason))
    return tuple(found)


def of_kind(needs: tuple[Need, ...], kind: str) -> list[str]:
    """The packages that are needed as ``kind``, in the file's order."""
    return [need.package for need in needs if need.kind == kind]


def build_root(control: str, needs: tuple[Need, ...]) -> list[str]:
    """What the build root holds: for the packages, for wheels with C in them, and lintian."""
    return [*build_depends(control), "python3-dev", *of_kind(needs, "build"), "lintian"]


def build_depends(control: str) -> list[str]:
    """The package names in all Build-Depends of ``control``, a debian/control's text."""
    fields = ("Build-Depends", "Build-Depends-Arch", "Build-Depends-Indep")
    entries = ",".join(control_field(control, field) for field in fields).split(",")
    return [entry.split()[0].split(":")[0] for entry in entries if entry.strip()]


def for_binary(control: str, binary: Binary) -> str:
    """``control`` with the paragraphs of the source package and of ``binary`` only."""
    source, *packages = control.split("\n\n")
    own = [part for part in packages if control_field(part, "Package") == binary.name]
    return "\n\n".join([source, *own]).rstrip("\n") + "\n"


def control_field(control: str, name: str) -> str:
    """The first field ``name`` in ``control``, on one line; empty when there is none."""
    match = re.search(rf"^{name}:((?:.*\n)(?:[ \t].*\n)*)", control, re.MULTILINE)
    return " ".join(match[1].split()) if match else ""

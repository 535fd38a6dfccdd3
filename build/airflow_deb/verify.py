"""`make verify`: a .deb found anywhere, checked against what lies beside it.

Each check says one line; the exit status is that of the first that failed, in the order
in which they depend on each other: what a signature does not cover proves nothing.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from . import companions, contents, log, provenance, rebuild, sbom, signing
from .companions import PROVENANCE, SBOM, SIGNATURE, SUMS, beside, sha256
from .errors import AirflowDebError, HashError, IncompleteError, UsageError, VerifyError
from .paths import Paths
from .settings import Settings
from .versions import Matrix


@dataclass(frozen=True)
class Outcome:
    """A check: its name, the status it would end with (0: passed), what it said."""

    check: str
    status: int
    said: str


def verify(paths: Paths, matrix: Matrix, uv: Path, settings: Settings) -> None:
    """Check the package DEB and say what came out.

    Raises UsageError without one, else an error with the status of the first check
    that failed.
    """
    if not settings.deb:
        raise UsageError("no package was given", hint="write DEB=, the path of a .deb")
    deb = Path(settings.deb).expanduser()
    if not deb.is_file() or deb.suffix != ".deb":
        raise UsageError(f"DEB={settings.deb} is no .deb", hint="give the path of a package")
    package = _Package(deb, signing.trusted(settings.keyring, settings.signing_key))
    checks: list[tuple[str, Callable[[], str]]] = [
        ("complete", package.complete),
        ("signature", package.signature),
        ("checksums", package.checksums),
        ("buildinfo", package.buildinfo),
        ("sbom", package.sbom),
        ("provenance", package.provenance),
    ]
    if settings.rebuild:
        checks.append(("rebuild", lambda: package.rebuild(paths, matrix, uv, settings)))
    outcomes = []
    # What a rebuild says of its progress is not to be in the JSON.
    silent = contextlib.redirect_stdout(sys.stderr)
    with silent if settings.format == "json" else contextlib.nullcontext():
        for name, check in checks:
            found = _outcome(name, check)
            outcomes.append(found)
            log.info(f"  {'FAILED' if found.status else 'ok':<7}{name:<11}{found.said}")
    if settings.format == "json":
        print(json.dumps([asdict(found) for found in outcomes], indent=1))
    failed = [found for found in outcomes if found.status]
    if failed:
        names = ", ".join(found.check for found in failed)
        error = VerifyError(f"{deb.name} failed {len(failed)} of {len(outcomes)} checks: {names}")
        error.status = failed[0].status
        raise error


def _outcome(name: str, check: Callable[[], str]) -> Outcome:
    try:
        return Outcome(name, 0, check())
    except AirflowDebError as error:
        return Outcome(name, error.status, str(error))


class _Package:
    """A .deb, the keys that are trusted, and the checks."""

    def __init__(self, deb: Path, trusted: bytes) -> None:
        self.deb = deb
        self.trusted = trusted

    def complete(self) -> str:
        """Everything that `make deb` leaves is there."""
        names = [beside(self.deb, suffix).name for suffix in companions.ALL]
        with contextlib.suppress(IncompleteError):
            names += self._sums()
        missing = [name for name in dict.fromkeys(names) if not (self.deb.parent / name).is_file()]
        if missing:
            raise IncompleteError(
                f"not beside it: {', '.join(sorted(missing))}",
                hint="get them from where the package came from",
            )
        return f"{len(set(names)) - 1} files beside it"

    def signature(self) -> str:
        """A trusted key has signed the sums."""
        signature = signing.check(self._file(SUMS), self._file(SIGNATURE), self.trusted)
        return f"by {signature}"

    def checksums(self) -> str:
        """All bytes are those that were signed."""
        sums = self._sums()
        needed = [self.deb.name, *(beside(self.deb, s).name for s in (SBOM, PROVENANCE))]
        uncovered = [name for name in needed if name not in sums]
        if uncovered or not any(name.endswith(".buildinfo") for name in sums):
            raise VerifyError(f"the sums are not of {', '.join(uncovered) or 'a .buildinfo'}")
        for name, wanted in sums.items():
            path = self.deb.parent / name
            if path.is_file() and (got := sha256(path)) != wanted:
                raise HashError(f"{name} has the sha256 {got}, signed was {wanted}")
        return f"{len(sums)} files, {self.deb.name} has {sums[self.deb.name]}"

    def buildinfo(self) -> str:
        """dpkg's own record is about this .deb."""
        name = next((name for name in self._sums() if name.endswith(".buildinfo")), None)
        if name is None or not (self.deb.parent / name).is_file():
            raise IncompleteError("there is no .buildinfo beside it")
        text = (self.deb.parent / name).read_text(encoding="utf-8")
        sums = re.search(r"^Checksums-Sha256:\n((?: .*\n)+)", text, re.MULTILINE)
        listed = {line.split()[2]: line.split()[0] for line in sums[1].splitlines()} if sums else {}
        if listed.get(self.deb.name) != sha256(self.deb):
            raise VerifyError(f"{name} is about another {self.deb.name}")
        packages = re.search(r"^Installed-Build-Depends:\n((?: .*\n)+)", text, re.MULTILINE)
        count = len(packages[1].splitlines()) if packages else 0
        return f"{name}, built with {count} Debian packages"

    def sbom(self) -> str:
        """The SBOM is CycloneDX and lists what is inside."""
        text = self._file(SBOM).read_text(encoding="utf-8")
        sbom.check(text)
        inside = contents.of_deb(self.deb)
        wrong = sbom.differences(json.loads(text), inside, sha256(self.deb))
        if wrong:
            more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            raise VerifyError(f"the SBOM is not of what is inside: {wrong[0]}{more}")
        return f"CycloneDX, {len(json.loads(text)['components'])} components as inside"

    def provenance(self) -> str:
        """The statement is in-toto's, with SLSA's provenance, about these files."""
        statement = provenance.load(self._file(PROVENANCE))
        sums = self._sums()
        about = {s["name"]: s["digest"]["sha256"] for s in statement["subject"]}
        if about.get(self.deb.name) != sha256(self.deb):
            raise VerifyError(f"the provenance is about another {self.deb.name}")
        for name, digest in about.items():
            if sums.get(name) != digest:
                raise VerifyError(f"the provenance is about another {name}")
        source = provenance.commit_of(statement) or "unknown"
        return f"SLSA v1, from the commit {source}" + provenance.note(statement)

    def rebuild(self, paths: Paths, matrix: Matrix, uv: Path, settings: Settings) -> str:
        """Built again, it has the same bytes."""
        statement = provenance.load(self._file(PROVENANCE))
        if provenance.is_plugin(statement):
            raise UsageError(
                "make plugin has built it, and only that can do so again",
                hint="give it the same SOURCE=, VERSION= and FOR=, and compare the sha256",
            )
        return rebuild.compare(paths, matrix, uv, statement, self.deb, settings.signing_key)

    def _file(self, suffix: str) -> Path:
        path = beside(self.deb, suffix)
        if not path.is_file():
            raise IncompleteError(f"there is no {path.name} beside it")
        return path

    def _sums(self) -> dict[str, str]:
        return companions.parse(self._file(SUMS).read_text(encoding="utf-8"))

"""What lies beside a package that we publish, named after it.

    STEM.deb                  with the STEM of `record.stem`
    STEM.cdx.json             its SBOM (sbom.py)
    STEM.intoto.json          its provenance (provenance.py)
    STEM.SHA256SUMS           the sha256 of all these, and of dpkg's .buildinfo and .changes
    STEM.SHA256SUMS.asc       its signature (signing.py)

The signature covers all: each file by its sum. dpkg's own two are named after the
source package, as Debian's tools expect them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from . import contents, signing
from .errors import VerifyError
from .signing import Key

SBOM = ".cdx.json"
PROVENANCE = ".intoto.json"
SUMS = ".SHA256SUMS"
SIGNATURE = ".SHA256SUMS.asc"
ALL = (SBOM, PROVENANCE, SUMS, SIGNATURE)
_LINE = re.compile(r"^([0-9a-f]{64})  ([^/\s]+)$")


def write(
    artifacts: Sequence[Path],
    tree: Path,
    key: Key,
    target: Path,
    *,
    bom: Callable[[contents.Contents, str], str],
    statement: Callable[[Mapping[str, str]], str],
) -> list[Path]:
    """Write the companions of the .deb among ``artifacts`` to ``target``; their paths.

    ``tree`` is what it was packed from. ``bom`` makes the SBOM of that and the .deb's
    sha256, ``statement`` the statement about files with their sha256.

    Raises VerifyError when one would not be what its standard asks for, SignatureError
    when ``key`` cannot sign.
    """
    sums = {path.name: sha256(path) for path in artifacts}
    deb = next(path for path in artifacts if path.suffix == ".deb")
    target.mkdir(parents=True)
    sbom_, statement_, listing, signature = (beside(target / deb.name, suffix) for suffix in ALL)
    sbom_.write_text(bom(contents.of_tree(tree), sums[deb.name]), encoding="utf-8")
    sums[sbom_.name] = sha256(sbom_)
    statement_.write_text(statement(sums), encoding="utf-8")
    sums[statement_.name] = sha256(statement_)
    listing.write_text(render(sums), encoding="utf-8")
    signing.sign(key, listing, signature)
    return [sbom_, statement_, listing, signature]


def beside(deb: Path, suffix: str) -> Path:
    """The companion of ``deb`` that ends in ``suffix``."""
    return deb.with_name(deb.name.removesuffix(".deb") + suffix)


def render(sums: Mapping[str, str]) -> str:
    """Names with their sha256 as sha256sum(1) writes and reads them."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))


def parse(text: str) -> dict[str, str]:
    """The sha256 of each file name in ``text``; VerifyError for a line that is none."""
    found = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            raise VerifyError(f"no line of sha256 sums: {line[:80]!r}")
        found[match[2]] = match[1]
    return found


def sha256(path: Path) -> str:
    """The sha256 of the file at ``path``, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

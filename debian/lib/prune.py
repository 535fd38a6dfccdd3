"""Remove dead weight from the tree, as the data file debian/prune says.

A line names a distribution, a glob over its files and the reason. A glob only
ever matches files that the distribution's own RECORD lists, so that a line
for one can never hurt another. Licence files stay whatever a glob says. A
line whose distribution is locked must match something: data that has gone
stale is an error, not a silent growth of the package.

Two distributions may bring the same path with different contents; which one
an installer leaves there is then a matter of luck. That is an error too, until
a line here takes the path from the one that is to lose. The other's file is
put back from its wheel if need be.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import re
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from dists import Distribution, Row, distributions, normalise

_LINE = re.compile(r"^(?P<optional>\?)?(?P<dist>\S+)\s+(?P<glob>\S+)\s+#\s*(?P<reason>\S.*)$")
_LICENCE = re.compile(r"(^|/)(licen[cs]e|copying|copyright|notice|authors)[^/]*$", re.IGNORECASE)


@dataclass(frozen=True)
class Rule:
    """One line of the data file."""

    line: int
    dist: str
    glob: str
    pattern: re.Pattern[str]
    optional: bool


@dataclass(frozen=True)
class Claim:
    """That a distribution says a file is its own."""

    dist: Distribution
    row: Row


def glob_pattern(glob: str) -> re.Pattern[str]:
    """A glob as a regular expression: ``**/`` is any depth, ``*`` one name."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    special = {"**/": r"(?:[^/]+/)*", "**": r".+", "*": r"[^/]*", "?": r"[^/]"}
    return re.compile("".join(special.get(part, re.escape(part)) for part in parts))


def read_rules(file: Path) -> list[Rule]:
    rules = []
    for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not text.strip() or text.startswith("#"):
            continue
        match = _LINE.match(text)
        if not match:
            raise SystemExit(f"{file}:{number}: expected '[?]DISTRIBUTION GLOB # reason': {text}")
        dist = match["dist"] if match["dist"] == "*" else normalise(match["dist"])
        glob = match["glob"]
        rules.append(Rule(number, dist, glob, glob_pattern(glob), match["optional"] is not None))
    return rules


def digest(data: bytes) -> str:
    """A hash as RECORD writes it."""
    value = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={value}"


def from_wheel(claim: Claim, wheelhouse: Path) -> bytes:
    """The file of a claim as its distribution's wheel has it."""
    for wheel in wheelhouse.glob(f"*-{claim.dist.version}-*.whl"):
        if normalise(wheel.name.split("-", 1)[0]) == claim.dist.name:
            with zipfile.ZipFile(wheel) as archive:
                return archive.read(claim.row.path)
    raise SystemExit(f"prune: no wheel of {claim.dist.name} {claim.dist.version} in {wheelhouse}")


def settle(path: Path, left: list[Claim], wheelhouse: Path) -> None:
    """Make a path that lost a claim what the remaining claims say."""
    if not left:
        path.unlink()
    elif digest(path.read_bytes()) != left[0].row.digest:
        path.write_bytes(from_wheel(left[0], wheelhouse))


def remove_empty(start: Path, top: Path) -> None:
    """Remove a directory and its parents as long as they are empty."""
    while start != top and start.is_dir() and not os.listdir(start):
        start.rmdir()
        start = start.parent


def prune(tree: Path, rules: list[Rule], wheelhouse: Path) -> list[str]:
    """Apply the rules; returns the errors, and prints what each line freed."""
    dists = distributions(tree)
    kept: dict[Path, list[Claim]] = defaultdict(list)
    dropped: dict[Path, Rule] = {}
    files: dict[int, int] = defaultdict(int)
    freed: dict[int, int] = defaultdict(int)
    for dist in dists:
        applicable = [rule for rule in rules if rule.dist in ("*", dist.name)]
        rows = dist.rows()
        stay = []
        for row in rows:
            path = dist.locate(row)
            hit = next((rule for rule in applicable if rule.pattern.fullmatch(row.path)), None)
            if hit is None or _LICENCE.search(row.path):
                stay.append(row)
                kept[path].append(Claim(dist, row))
            else:
                dropped[path] = hit
                files[hit.line] += 1
        if len(stay) < len(rows):
            dist.write_rows(stay)
    for path in sorted(dropped):
        freed[dropped[path].line] += path.stat().st_size
        settle(path, kept.get(path, []), wheelhouse)
        remove_empty(path.parent, tree)

    for rule in rules:
        print(f"  {freed[rule.line] / 1e6:8.2f} MB {files[rule.line]:6} {rule.dist} {rule.glob}")
    print(f"  {sum(freed.values()) / 1e6:8.2f} MB {sum(files.values()):6} in all")
    installed = {dist.name for dist in dists} | {"*"}
    errors = [
        f"line {rule.line}: {rule.dist} has no file {rule.glob}: drop the line, or begin it "
        "with '?' if other versions have such files"
        for rule in rules
        if rule.dist in installed and not files[rule.line] and not rule.optional
    ]
    for path, claims in sorted(kept.items()):
        if len({claim.row.digest for claim in claims}) > 1:
            names = " and ".join(claim.dist.name for claim in claims)
            where = path.relative_to(tree)
            errors.append(f"{where} differs in {names}: add a line for the one that is to lose it")
    return errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("wheelhouse", type=Path)
    options = parser.parse_args()
    errors = prune(options.tree.resolve(), read_rules(options.data), options.wheelhouse)
    if errors:
        raise SystemExit("\n".join(f"{options.data}: {error}" for error in errors))


if __name__ == "__main__":
    main()

"""Make each RECORD true again: exactly the files that are there, as they are.

Between the installer and the package, scripts got another shebang, compiled
modules were stripped, files were pruned and bytecode was made. Bytecode is
listed with its hash, which pip leaves empty: it is the same in every build
here, so that it can be checked like everything else.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dists import Distribution, Row, distributions
from prune import digest


@dataclass(frozen=True)
class Update:
    """What became of a distribution's RECORD."""

    corrected: list[str]
    owned: set[Path]


def bytecode_of(row: Row) -> Row | None:
    """The row of a module's bytecode; None for what is not a module."""
    if not row.path.endswith(".py") or row.path.startswith("../"):
        return None
    return Row(importlib.util.cache_from_source(row.path))


def hashed(dist: Distribution, row: Row) -> Row:
    """A row with the hash and size of the file as it is now."""
    data = dist.locate(row).read_bytes()
    return Row(row.path, digest(data), str(len(data)))


def update(dist: Distribution) -> Update:
    """Rewrite one RECORD; a file that it lists and that is gone is an error."""
    rows = {row.path: row for row in dist.rows()}
    own = f"{dist.info.name}/RECORD"
    rows.pop(own, None)
    for row in list(rows.values()):
        compiled = bytecode_of(row)
        if compiled and compiled.path not in rows and dist.locate(compiled).is_file():
            rows[compiled.path] = compiled
    now = {path: hashed(dist, row) for path, row in rows.items()}
    dist.write_rows([*now.values(), Row(own)])
    changed = [path for path, row in rows.items() if row.digest and row.digest != now[path].digest]
    return Update(changed, {dist.locate(row) for row in [*now.values(), Row(own)]})


def unowned(tree: Path, owned: set[Path]) -> list[Path]:
    """Files that no RECORD lists, other than those of the environment itself."""
    found = []
    for directory, _, names in os.walk(tree):
        found += [Path(directory, name) for name in names]
    return sorted(path.relative_to(tree) for path in found if path not in owned)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path)
    tree = parser.parse_args().tree.resolve()
    dists = distributions(tree)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        updates = list(pool.map(update, dists))
    for dist, result in zip(dists, updates):
        # Scripts and compiled modules are ours to change; anything else was
        # wrong in the wheel already, and is worth a line in the log.
        for path in result.corrected:
            if not path.startswith("../") and ".so" not in Path(path).name:
                print(f"  {dist.name}: {path} was listed with another hash")
    print(f"  {sum(len(result.corrected) for result in updates)} hashes corrected")
    owned: set[Path] = set().union(*(result.owned for result in updates))
    names = " ".join(str(path) for path in unowned(tree, owned))
    print(f"  belonging to no distribution: {names}")


if __name__ == "__main__":
    main()

"""Copy the files of the one distribution in an environment into a package's tree.

What they are its RECORD says. Runs on the suite's own Python.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from dists import Row, distributions

# Of the installation, not of the distribution: who asked for it, from where, and when.
_NOT_KEPT = ("REQUESTED", "direct_url.json", "uv_cache.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", type=Path)
    parser.add_argument("tree", type=Path)
    parser.add_argument("left_out", nargs="*", help="directories below it that are not taken")
    options = parser.parse_args()
    found = distributions(options.environment)
    if len(found) != 1:
        raise SystemExit(f"{options.environment}: {len(found)} distributions, not one")
    (dist,) = found
    rows: list[Row] = []
    for row in dist.rows():
        source = dist.locate(row)
        if options.environment not in source.parents:
            raise SystemExit(f"{dist.name}: {row.path} would leave {options.environment}")
        if source.parent == dist.info and source.name in _NOT_KEPT:
            continue
        place = source.relative_to(options.environment)
        if place.as_posix().startswith(tuple(options.left_out)):
            continue
        target = options.tree / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        rows.append(row)
    copy = options.tree / dist.info.relative_to(options.environment)
    type(dist)(dist.name, dist.version, copy).write_rows(rows)
    print(f"  {len(rows)} files of {dist.name} {dist.version}")


if __name__ == "__main__":
    main()

"""Keep one of all the .pth files that set up the same namespace packages.

setuptools gives each distribution with a part of `google.cloud` a file that makes this
namespace known when Python starts. Airflow brings dozens of such files, mostly with the
same lines. To carry out a line again changes nothing, but takes its time whenever Python
starts, and so in every task. So a file goes whose lines are all in files before
it, in the order in which the module site reads them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dists import distributions, site_packages

_PATTERN = "*-nspkg.pth"


def repeated(site: Path) -> list[Path]:
    """The files that add nothing to those before them."""
    known: set[str] = set()
    found = []
    for file in sorted(site.glob(_PATTERN)):
        lines = set(file.read_text(encoding="utf-8").splitlines())
        if lines <= known:
            found.append(file)
        known |= lines
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path)
    tree = parser.parse_args().tree.resolve()
    gone = set(repeated(site_packages(tree)))
    for dist in distributions(tree):
        rows = dist.rows()
        left = [row for row in rows if dist.locate(row) not in gone]
        if len(left) < len(rows):
            dist.write_rows(left)
    for file in gone:
        file.unlink()
    print(f"  {len(gone)} files that repeat what others say of namespaces")


if __name__ == "__main__":
    main()

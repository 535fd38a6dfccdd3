"""Fail when a file or a link of the package names the place it was built in.

Such a path is wrong on every host, and makes the package differ between two
machines that build in different places.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path


def leaks(path: Path, needles: list[bytes]) -> list[bytes]:
    """Which of the needles a file holds, or a link points to."""
    data = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
    return [needle for needle in needles if needle in data]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("paths", nargs="+", help="paths of the build, none of which may appear")
    options = parser.parse_args()
    files: list[Path] = []
    for directory, subdirectories, names in os.walk(options.root):
        files += [Path(directory, name) for name in names]
        files += [
            Path(directory, name) for name in subdirectories if Path(directory, name).is_symlink()
        ]
    needles = [os.fsencode(path) for path in options.paths]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = list(pool.map(partial(leaks, needles=needles), files))
    wrong = [
        f"leaks: {path.relative_to(options.root)} names {b', '.join(hits).decode()}"
        for path, hits in zip(files, found)
        if hits
    ]
    if wrong:
        raise SystemExit("\n".join(sorted(wrong)))
    print(f"  none in {len(files)} files")


if __name__ == "__main__":
    main()

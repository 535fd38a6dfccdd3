"""The last look at the complete package: no leaks, and DEBIAN/md5sums.

Fails when a file or a link names the place the package was built in. Such a path is
wrong on every host, and makes the package differ between two machines that build in
different places. md5sums is written as dh_md5sums(1) writes it: every regular file, by
name. Both have to read every byte, so it is done once, on all processors.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path


def look(name: bytes, stage: bytes, needles: list[bytes]) -> tuple[list[bytes], str]:
    """Which needles a file holds, or a link points to; the MD5 of a file."""
    path = os.path.join(stage, name)
    if os.path.islink(path):
        target = os.readlink(path)
        return [needle for needle in needles if needle in target], ""
    with open(path, "rb") as file:
        data = file.read()
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return [needle for needle in needles if needle in data], digest


def names(stage: bytes) -> list[bytes]:
    """All files and links below, the control files included."""
    found = []
    for directory, directories, files in os.walk(stage):
        links = [name for name in directories if os.path.islink(os.path.join(directory, name))]
        found += [os.path.relpath(os.path.join(directory, name), stage) for name in files + links]
    return sorted(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", type=Path, help="the package's tree, with its DEBIAN")
    parser.add_argument("paths", nargs="+", help="paths of the build, none of which may appear")
    options = parser.parse_args()
    control: Path = options.stage / "DEBIAN"
    if (control / "conffiles").exists():
        raise SystemExit("lastlook: conffiles do not belong into md5sums; leave them out here")
    stage = os.fsencode(options.stage)
    one = partial(look, stage=stage, needles=[os.fsencode(path) for path in options.paths])
    files = names(stage)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = list(pool.map(one, files, chunksize=500))
    wrong = [
        f"lastlook: {os.fsdecode(name)} names {b', '.join(hits).decode()}"
        for name, (hits, _) in zip(files, found)
        if hits
    ]
    if wrong:
        raise SystemExit("\n".join(wrong))
    (control / "md5sums").write_bytes(
        b"".join(
            md5.encode() + b"  " + name + b"\n"
            for name, (_, md5) in zip(files, found)
            if md5 and not name.startswith(b"DEBIAN/")
        )
    )
    (control / "md5sums").chmod(0o644)
    print(f"  no leak in {len(files)} files")


if __name__ == "__main__":
    main()

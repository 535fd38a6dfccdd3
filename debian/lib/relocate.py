"""Replace the path where the tree was built by the path where it will be.

dh_virtualenv does so for shebangs and for three activate scripts. This sees
to every other text that `venv` or an installer writes: pyvenv.cfg (which from
Python 3.11 on holds the command that made it), further activate scripts and
scripts that name the tree in a line other than the first.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def relocate(file: Path, old: bytes, new: bytes) -> bool:
    """Rewrite one text file; says whether it named the old path."""
    data = file.read_bytes()
    if old not in data:
        return False
    if b"\0" in data:
        raise SystemExit(f"{file}: a binary file names {os.fsdecode(old)}, which cannot be changed")
    file.write_bytes(data.replace(old, new))
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path)
    parser.add_argument("prefix", help="the tree's path once installed")
    options = parser.parse_args()
    old, new = os.fsencode(options.tree.resolve()), os.fsencode(options.prefix)
    for file in [options.tree / "pyvenv.cfg", *sorted((options.tree / "bin").iterdir())]:
        if file.is_file() and not file.is_symlink() and relocate(file, old, new):
            print(f"  {file.relative_to(options.tree)}")


if __name__ == "__main__":
    main()

"""Take the executable bit from files that cannot be executed.

Wheels made on other systems mark images, texts and modules as programs. Left
with the bit are compiled programs and scripts that name their interpreter;
no file is given it that came without. Modules are for import: what is to be
run of them has a script in bin/.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def is_program(path: Path, tree: Path) -> bool:
    """Whether running a file can make sense."""
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] == b"#!":
        return path.suffix != ".py" or path.parent == tree / "bin"
    return start == b"\x7fELF"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path)
    tree = parser.parse_args().tree.resolve()
    changed = 0
    for directory, _, names in os.walk(tree):
        for path in (Path(directory, name) for name in names):
            mode = path.lstat().st_mode
            if not path.is_symlink() and mode & 0o111 and not is_program(path, tree):
                path.chmod(mode & 0o666)
                changed += 1
    print(f"  {changed} files are no longer executable")


if __name__ == "__main__":
    main()

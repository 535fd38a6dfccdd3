"""Replace the path where the tree was built by the path where it will be.

dh_virtualenv does so for three activate scripts. This sees to every other text that
`venv` or an installer writes: pyvenv.cfg (which from Python 3.11 on holds the command
that made it), further activate scripts and all that names the tree in a script. And it
has every script run by the tree's own interpreter, whichever its first line asked for:
dh_virtualenv's way of doing that is a race (see idle/sed).
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

# As in dh_virtualenv: `#!/usr/bin/env python`, with whatever follows.
_SHEBANG = re.compile(rb'\A#!.*bin/(env )?(python|pypy|ipy|jython)"?')


def relocate(file: Path, old: bytes, new: bytes) -> bool:
    """Rewrite one text file; says whether it named the old path or another interpreter."""
    data = file.read_bytes()
    if b"\0" in data and old in data:
        raise SystemExit(f"{file}: a binary file names {os.fsdecode(old)}, which cannot be changed")
    changed = _SHEBANG.sub(b"#!" + new + b"/bin/python", data.replace(old, new))
    if changed == data:
        return False
    file.write_bytes(changed)
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

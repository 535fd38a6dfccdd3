"""What Python knows of namespace packages once it has read the .pth files, as JSON."""

from __future__ import annotations

import json
import site
import sys
from pathlib import Path


def main(top: Path) -> None:
    # As Python does itself when it starts in a virtual environment.
    site.addsitedir(str(top))
    known = {name: list(getattr(module, "__path__", [])) for name, module in sys.modules.items()}
    declared: dict[str, str] = {}
    for file in top.glob("*.dist-info/namespace_packages.txt"):
        for name in file.read_text(encoding="utf-8").split():
            declared[name] = file.parent.name
    wrong = {
        name: f"{known.get(name)}, {dist}"
        for name, dist in sorted(declared.items())
        if known.get(name) != [str(top.joinpath(*name.split(".")))]
    }
    files = {file.name: file.read_text("utf-8").splitlines() for file in top.glob("*-nspkg.pth")}
    print(json.dumps({"declared": sorted(declared), "wrong": wrong, "files": files}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Give PyCryptodome's modules the name that it tries first.

It loads them by path: with the interpreter's own suffix, then with the stable ABI's, which
is theirs. For the first, which is not there, cffi asks ldconfig, gcc and ld, as
ctypes.util.find_library does: 50 copies of the process, and a sixth of the time of
`airflow dags list` of Airflow 2.1, in whatever imports it. So each module gets a link.
Later versions look whether there is a file, and need none.
"""

from __future__ import annotations

import argparse
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from dists import Row, distributions, site_packages

_LOADERS = "Crypto*/Util/_raw_api.py"  # Crypto, or Cryptodome beside another one
_OWN, _STABLE = EXTENSION_SUFFIXES[:2]


def packages(site: Path) -> list[str]:
    """The packages whose loader tries a name without looking for the file."""
    return [
        file.parent.parent.name
        for file in sorted(site.glob(_LOADERS))
        if "isfile" not in file.read_text(encoding="utf-8")
    ]


def link(module: Path) -> Path:
    """Link to a module of the stable ABI, beside it; the link."""
    found = module.with_name(module.name[: -len(_STABLE)] + _OWN)
    found.symlink_to(module.name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path)
    site = site_packages(parser.parse_args().tree.resolve())
    wanted = tuple(f"{name}/" for name in packages(site))
    number = 0
    for dist in distributions(site.parents[2]):
        rows = dist.rows()
        found = [r for r in rows if r.path.startswith(wanted) and r.path.endswith(_STABLE)]
        links = [link(dist.locate(row)) for row in found]
        if links:
            dist.write_rows([*rows, *(Row(str(path.relative_to(site))) for path in links)])
        number += len(links)
    print(f"  {number} modules under the name that is tried first")


if __name__ == "__main__":
    main()

"""How much of what the cells need is one file in the cache.

    python3 -m tests.bench.sharing

Prints, for each cell in the order of versions.sh, what its lock needs and what of that
no cell before it has brought: cost grows with what is new, not with the number of cells.
"""

from __future__ import annotations

from airflow_deb import lockfile, log, paths, versions


def main() -> None:
    places = paths.default()
    known: dict[str, int] = {}
    whole = 0
    for cell in versions.load(places.versions_sh).cells():
        where = places.requirements / cell.version.name / f"{cell.suite.name}.lock"
        if not where.exists():
            continue
        files = {file.sha256: file.size for file in lockfile.load(where).files}
        new = {sha256: size for sha256, size in files.items() if sha256 not in known}
        known |= new
        whole += sum(files.values())
        print(
            f"{cell.name:<18}{len(files):5} files {log.size(sum(files.values())):>8}"
            f"{len(new):7} new {log.size(sum(new.values())):>8}"
        )
    print(f"{'all cells':<18}{log.size(whole):>19}{log.size(sum(known.values())):>20} in the cache")


if __name__ == "__main__":
    main()

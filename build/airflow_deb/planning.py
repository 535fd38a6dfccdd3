"""What `make deb` would do for a cell: looked up, shown, nothing changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import fetch, log, record, roots, wheels
from .binary import BINARIES, Binary
from .paths import Paths
from .record import Record
from .stage import Recipe

# Bytes a build needs at most. A root and what it is made of; any package's tree, .deb and
# what lintian unpacks of them, generously; of airflow besides its downloads, for each byte
# of locked files its copy in the wheelhouse, unpacked, compiled, packed, and unpacked by
# lintian; nearly twice as large when packed without compression (3.3.2: 9.3 GB from 0.79).
_ROOT_BYTES = 1_300_000_000
_PACKAGE_BYTES = 20_000_000
_GROWTH, _GROWTH_UNPACKED = 7, 13


@dataclass(frozen=True)
class Stage:
    """A stage of the plan: its name, whether it has work to do, and which."""

    name: str
    to_do: bool
    what: str


@dataclass(frozen=True)
class Plan:
    """What `make deb` would do for a cell, and what it has to know to do it.

    ``todo`` are the packages to build, ``done`` the records of those that are up
    to date. ``fetch`` and ``wheels`` are airflow's only; there are no ``wheels``
    to tell of without a root either. ``disk_bytes`` is what the cache's disk must
    have free for it.
    """

    recipe: Recipe
    uv: Path
    todo: tuple[Binary, ...]
    done: tuple[Record, ...]
    fetch: fetch.FetchPlan | None
    root: roots.Root
    wheels: wheels.WheelPlan | None
    stages: tuple[Stage, ...]
    disk_bytes: int


def current(paths: Paths, recipe: Recipe, binary: Binary) -> Record | None:
    """The record of ``recipe``'s package ``binary`` when it is up to date."""
    return record.current(record.path(paths.dist, recipe.cell, binary), recipe.key(binary))


def plan(paths: Paths, recipe: Recipe, uv: Path, wanted: Sequence[Binary] = BINARIES) -> Plan:
    """What is to be done for ``recipe``'s packages; touches nothing."""
    done = {b: current(paths, recipe, b) for b in wanted}
    todo = tuple(b for b in wanted if done[b] is None)
    root = roots.root(recipe.cell.suite, "buildd", recipe.build_packages)
    has_root = root.path(paths).is_dir()
    stages = [
        Stage(
            "root",
            not has_root,
            f"{root.path(paths).name}, {len(root.packages)} packages asked for",
        )
    ]
    files = built = None
    disk = len(todo) * _PACKAGE_BYTES
    disk += 0 if has_root or not todo else _ROOT_BYTES
    for binary in todo:
        if binary.is_airflow:
            files = fetch.plan((recipe.lock, recipe.tools), paths)
            stages.append(Stage("fetch", bool(files.missing), str(files)))
            # Which wheels are cached depends on what is in the root, so on there being one.
            if has_root:
                builder = wheels.Builder(paths, root.path(paths), recipe.tools, uv)
                built = wheels.plan(builder, recipe.lock)
            sdists = sum(not file.is_wheel for file in recipe.lock.files)
            missing = len(built.missing) if built else sdists
            what = f"{sdists - missing} of {sdists} sdists built before"
            stages.append(Stage("wheels", missing > 0, what))
            growth = _GROWTH_UNPACKED if recipe.compression[0] == "none" else _GROWTH
            disk += files.bytes + growth * sum(file.size for file in recipe.lock.files)
        what = f"{binary.name} {recipe.cell.deb_version}, {recipe.compression[0]}"
        stages.append(Stage("deb", True, what))
        stages.append(Stage("verify", True, f"{binary.name}, lintian"))
    found = tuple(kept for kept in done.values() if kept is not None)
    return Plan(recipe, uv, todo, found, files, root, built, tuple(stages), disk)


def show(plan: Plan) -> None:
    """Print ``plan`` for DRY_RUN=1."""
    log.info(f"airflow-deb: the plan for {plan.recipe.cell.name}")
    for kept in plan.done:
        log.info(f"  nothing to do: {kept.package} is up to date")
    if not plan.todo:
        return
    for number, part in enumerate(plan.stages, 1):
        log.info(f"  {number}. {part.name:<7} {'to do' if part.to_do else 'done '}  {part.what}")
    log.info(f"  needs up to {log.size(plan.disk_bytes)} of disk while it runs")

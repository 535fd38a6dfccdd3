"""Import every provider module and every hook class; print what came of it as JSON.

Runs on the host under test, on the package's own Python. The modules of each
provider are imported in a child forked for that provider alone, so that one
provider cannot profit from what another has imported, nor a crash hide the
rest. Example DAGs are no modules of a provider and are left out, and so is what
alembic runs itself: env.py of migrations.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path
from types import ModuleType

ENTRY_POINT = "apache_airflow_provider"
# More than that many lines of a traceback help nobody.
LINES = 12


def modules(providers: Path) -> list[str]:
    """Every module below airflow.providers, packages included, sorted."""
    found = []
    for path in providers.rglob("*.py"):
        parts = path.relative_to(providers.parents[1]).with_suffix("").parts
        if "example_dags" in parts or parts[-2:] == ("migrations", "env"):
            continue
        found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return sorted(found)


def owners() -> dict[str, str]:
    """Which distribution brings which module below airflow.providers."""
    found: dict[str, str] = {}
    for dist in importlib.metadata.distributions():
        for file in dist.files or ():
            if file.parts[:2] == ("airflow", "providers") and file.suffix == ".py":
                parts = file.with_suffix("").parts
                name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
                found.setdefault(name, str(dist.metadata["Name"]))
    return found


def hooks() -> dict[str, list[str]]:
    """The hook classes that each provider's own metadata names."""
    found: dict[str, list[str]] = {}
    for dist in importlib.metadata.distributions():
        for entry in dist.entry_points:
            if entry.group != ENTRY_POINT:
                continue
            info = entry.load()()
            names = set(info.get("hook-class-names", ()))
            names |= {kind["hook-class-name"] for kind in info.get("connection-types", ())}
            found[str(dist.metadata["Name"])] = sorted(names)
    return found


def uncompiled(module: ModuleType) -> bool:
    """Whether Python had to compile a module of the package for itself."""
    # Not the spec's own word of it: that of setuptools' stand-in for distutils has none.
    origin = getattr(getattr(module, "__spec__", None), "origin", None)
    if not isinstance(origin, str) or not origin.startswith(f"{sys.prefix}/"):
        return False
    return origin.endswith(".py") and not Path(importlib.util.cache_from_source(origin)).is_file()


def attempt(names: list[str], classes: list[str]) -> dict[str, object]:
    """Import ``names`` and ``classes``; what failed, and what was not compiled."""
    failures = {}
    for name in names:
        try:
            importlib.import_module(name)
        except BaseException:
            failures[name] = "\n".join(traceback.format_exc().splitlines()[-LINES:])
    for path in classes:
        module, _, name = path.rpartition(".")
        try:
            if not isinstance(getattr(importlib.import_module(module), name), type):
                failures[path] = "not a class"
        except BaseException:
            failures[path] = "\n".join(traceback.format_exc().splitlines()[-LINES:])
    late = [name for name, module in list(sys.modules.items()) if uncompiled(module)]
    return {"failures": failures, "uncompiled": late}


def fork(result: Path, names: list[str], classes: list[str]) -> int:
    """Start `attempt` in a child, which writes to ``result``; its process id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        # Modules may print when they are imported; standard output is for JSON.
        os.dup2(2, 1)
        result.write_text(json.dumps(attempt(names, classes)), encoding="utf-8")
        status = 0
    finally:
        os._exit(status)


def main() -> None:
    """Share the providers out over the processors and print the sum."""
    package = importlib.import_module("airflow.providers")
    every = modules(Path(package.__path__[0]))
    owner, classes = owners(), hooks()
    shares: dict[str, list[str]] = {name: [] for name in classes}
    for name in every:
        shares.setdefault(owner.get(name, "of no distribution"), []).append(name)
    waiting = sorted(shares, key=lambda name: len(shares[name]))
    running: dict[int, tuple[str, Path]] = {}
    failures: dict[str, str] = {}
    late: set[str] = set()
    with tempfile.TemporaryDirectory() as directory:
        while waiting or running:
            while waiting and len(running) < len(os.sched_getaffinity(0)):
                name = waiting.pop()
                result = Path(directory, name)
                running[fork(result, shares[name], classes.get(name, []))] = (name, result)
            child, status = os.wait()
            name, result = running.pop(child)
            if status:
                failures[name] = f"the importing process ended with wait status {status}"
                continue
            said = json.loads(result.read_text(encoding="utf-8"))
            failures.update(said["failures"])
            late.update(said["uncompiled"])
    report = {
        "providers": len(classes),
        "modules": len(every),
        "hooks": len({path for paths in classes.values() for path in paths}),
        "failures": failures,
        "uncompiled": sorted(late),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()

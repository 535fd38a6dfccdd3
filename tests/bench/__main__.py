"""`make bench`: each figure beside that of what it is compared with, in one run.

Prints a table row by row, which is also written to dist/benchmarks.md. Exit status 1 when
something is not as fast, or as small, as it has to be. ROWS chooses: some of the names of
`ROWS` below; ROUNDS says how often our own builds are run (3), of which the median counts.
What they are compared with takes a quarter of an hour, and is run once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests import artifact, expected
from tests.bench import builds, installed, resolving, stock, table
from tests.bench.builds import Bench
from tests.bench.table import Row
from tests.host import scenarios  # noqa: F401 - registers the layers
from tests.host.instances import Host
from tests.host.lab import Lab
from tests.host.registry import wanted

from airflow_deb import container, log, paths, settings, versions
from airflow_deb.errors import AirflowDebError, UsageError
from airflow_deb.versions import Cell

_HERE = Path(__file__).resolve().parent
_UV = Path(sysconfig.get_path("scripts")) / "uv"
# An sdist without C in it, whose wheel is built in a second.
_SMALL = "termcolor"
# What is resolved: pip-compile does not come to its end on the whole input of this one.
_RESOLVED = "2.11.2"


def rounds() -> int:
    """How often our own builds are run."""
    return int(os.environ.get("ROUNDS") or "3")


def cell() -> Cell:
    """The cell that is measured."""
    given = settings.read()
    return versions.load(paths.default().versions_sh).cell(given.version, given.suite)


def build(bench: Bench) -> Iterator[Row]:
    """FAST=1, one pin, releases, nothing to do; what the last one built is `package`'s."""
    bench.forget()
    bench.deb(FAST="1")  # Root, downloads and wheels are there from here on.
    log.info("bench: the stock build")
    here = bench.paths.run(f"bench/{bench.cell.name}-stock")
    try:
        it = stock.build(bench.paths, bench.recipe(), bench.root(), bench.house(_UV), here)
    finally:
        container.remove(here)
    yield from _ours(bench, "FAST=1", it, 10, FAST="1")
    yield _one_pin(bench)
    yield from _ours(bench, "release", it, 3)
    yield table.below("nothing changed", [bench.deb()[0] for _ in range(5)], 2)


def _ours(bench: Bench, name: str, it: stock.Stock, times: float, **given: str) -> Iterator[Row]:
    """Our build with the settings ``given`` against the stock one, and both with lintian.

    Stock tools do not look at what they have built. Where ours do, that is another row.
    """
    whole, parts = [], []
    for _ in range(rounds()):
        bench.forget()
        seconds, _ = bench.deb(None, **given)
        whole.append(seconds)
        parts.append(seconds - bench.record().seconds.get("verify", 0))
    yield table.shorter(f"make deb, {name}", parts, [it.seconds], times)
    if not given:
        yield table.shorter(
            f"make deb, {name}, and lintian on both", whole, [it.seconds + it.lintian], 1
        )


def package(bench: Bench) -> Iterator[Row]:
    """What the package is: installed beside tar, started beside plain environments, in bytes."""
    bench.deb()
    deb = bench.paths.dist / bench.cell.suite.name / bench.record().package
    release = deb.stat().st_size
    here = bench.paths.run(f"bench/{bench.cell.name}-on")
    container.remove(here)
    ground = installed.ground(bench.paths, bench.cell, deb, here)
    apt, tar = installed.install(ground, rounds())
    yield table.in_turns("apt install of the .deb, against tar", apt, tar, 2.0)
    known = expected.load(_HERE.parent / "host", bench.cell.version.name)
    plain = installed.plain(ground, bench.house(_UV), " ".join(known["migrate"]))
    for command, taken in plain.seconds.items():
        for against, most in (("plain", 0.6), ("compiled", 1.0)):
            work = f"airflow {command}, against a venv, {against}"
            yield table.in_turns(work, taken["package"], taken[against], most)
    container.remove(here)
    venv = "against a venv with xz -6"
    yield table.smaller(f".deb, release, {venv}", release, plain.packed, 1.0)
    bench.forget()
    bench.deb(COMPRESS="best")
    yield table.smaller(f".deb, COMPRESS=best, {venv}", deb.stat().st_size, plain.packed, 0.9)


def _one_pin(bench: Bench) -> Row:
    """Another file for one sdist: only its wheel is built."""
    with builds.repacked(bench, _SMALL):
        seconds, said = bench.deb(FAST="1")
    (found,) = (line for line in said.splitlines() if line.startswith("  wheels: "))
    one = ", 1 built now," in found
    return Row(
        "one pin changed, FAST=1", log.duration(seconds), "–", found.partition(", ")[2],
        "1 built now", one,
    )  # fmt: skip


def cold(bench: Bench) -> Iterator[Row]:
    """From an empty cache, root included, against pip."""
    theirs = builds.pip(bench, bench.paths.run(f"bench/{bench.cell.name}-pip"))
    empty = bench.paths.run(f"bench/{bench.cell.name}-cache")
    container.remove(empty)
    empty.mkdir(parents=True)
    bench.forget()
    try:
        ours, _ = bench.deb(empty, FAST="1")
    finally:
        container.remove(empty)
    yield table.ratio("cold, FAST=1, root included, against pip", [ours], [theirs], 1.5)


def lock(bench: Bench) -> Iterator[Row]:
    """uv against pip-compile on the input of the version that has most to choose."""
    known = versions.load(bench.paths.versions_sh).cell(_RESOLVED)
    with builds.bench(paths.default(), known) as other:
        other.root()  # Both resolve in it.
        ours = resolving.seconds(other)
        assert ours is not None
        log.info(f"bench: lock with uv: {log.duration(ours)}")
        theirs = resolving.seconds(other, 5 * ours + 1, RESOLVER="pip-tools")
    work = f"lock of {known.name}, against pip-compile"
    if theirs is None:
        ended = f"not done after {log.duration(5 * ours)}"
        yield Row(work, log.duration(ours), ended, "> 5.0 × faster", "≥ 5 ×", True)
    else:
        yield table.shorter(work, [ours], [theirs], 5)


def hosts(_bench: Bench) -> Iterator[Row]:
    """airflow-instance check against Airflow's own; apply and ls of a hundred instances."""
    found, places = artifact.find(), paths.default()
    known = expected.load(_HERE.parent / "host", found.cell.version.name)
    lab = Lab(found, places, known, name="bench")
    try:
        lab.start(wanted(["pair"]))
        layers = lab.result("pair")
        host = Host(lab, lab.machine("many", layers), tuned=False)
        host.machine.write("/opt/many.py", (_HERE / "many.py").read_text(encoding="utf-8"))
        done = host.machine.call(["python3", "/opt/many.py"], timeout=1200)
        taken = json.loads(done.stdout)
        yield table.ratio("apply, no change, 100 against 1", taken["many"], taken["one"], 100)
        yield table.below("apply, no change, 100 instances", taken["many"], 5)
        yield table.below("ls, 100 instances", taken["ls"], 0.5)
        lab.retire(host.machine)
        host = Host(lab, lab.machine("check", layers))
        team = host.create("analytics")
        team.tool("start")
        host.machine.write("/opt/check.py", (_HERE / "check.py").read_text(encoding="utf-8"))
        done = host.machine.call(["python3", "/opt/check.py", "analytics"], check=False)
        print(done.stdout + done.stderr, end="", flush=True)
        times = done.stdout.splitlines()[-1].partition(";")[0]
        yield Row(
            "airflow-instance check, CPU", "–", "db check + jobs check", times, "≥ 20 ×",
            done.status == 0,
        )  # fmt: skip
    finally:
        lab.close()


def clean_logs(_bench: Bench) -> Iterator[Row]:
    """clean_logs against find on a million files."""
    done = subprocess.run(
        [sys.executable, str(_HERE / "clean_logs.py")], capture_output=True, text=True, check=False
    )
    print(done.stdout + done.stderr, end="", flush=True)
    for line in done.stdout.splitlines():
        if " clean_logs " in line:
            *shape, _, _, _, seconds, times, memory, enough = line.split()
            yield Row(
                f"clean_logs, {' '.join(shape)} files", f"{seconds} s CPU, {memory} MB",
                "find -delete", f"{times} ×", "≤ 1.2 ×, ≤ 50 MB", enough == "yes",
            )  # fmt: skip


ROWS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "clean_logs": clean_logs,
    "hosts": hosts,
    "build": build,
    "package": package,
    "cold": cold,
    "lock": lock,
}


def main() -> int:
    chosen = os.environ.get("ROWS", "").split() or list(ROWS)
    where = paths.default().dist / "benchmarks.md"
    rows: list[Row] = []
    # Our builds have logs of their own; this one is the stock build's.
    log.open_file(paths.default().cache / "logs" / f"bench-{time.strftime('%Y%m%d-%H%M%S')}.log")
    try:
        command = f"make bench VERSION={cell().version.name} SUITE={cell().suite.name}"
        if chosen != list(ROWS):
            command += f' ROWS="{" ".join(chosen)}"'
        if unknown := sorted(set(chosen) - ROWS.keys()):
            raise UsageError(f"ROWS={unknown[0]!r} is not known", hint=f"write {', '.join(ROWS)}")
        with builds.bench(paths.default(), cell()) as bench:
            for name in chosen:
                for row in ROWS[name](bench):
                    rows.append(row)
                    log.info(table.line(row))
                    paths.write_text(where, table.markdown(rows, command))
    except AirflowDebError as error:
        log.info(error.detail)
        log.info(f"airflow-deb: error: {error}")
        return error.status
    log.info(table.markdown(rows, command))
    return 0 if all(row.good for row in rows) else 1


sys.exit(main())

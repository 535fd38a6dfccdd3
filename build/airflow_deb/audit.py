"""`make audit`: what is known against the files of a lock, and what can be done about it.

Advisories (osv.py); releases that were yanked or files that were deleted. Of each: the
first release that clears it, whether a later resolution date would bring that by itself
or only an override, and who stands in the way. What accepted.txt lists until a date that
is not over is no failure.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

from packaging.version import Version

from . import accepted, index, lockfile, log, metadata, official, osv, pins, requires
from .accepted import Accepted
from .choice import Target, best, releases
from .errors import AuditError
from .index import File
from .lockfile import Lock, Locked
from .osv import Advisory
from .paths import Paths
from .pins import Pins
from .requires import Edge
from .settings import Settings
from .versions import Cell, Matrix

_THREADS = 16
# Newer than any: whether a wheel fits the suite's glibc, only its root could tell.
_GLIBC = "2.99"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something known against a locked distribution; the fields are those of FORMAT=json.

    ``kind``: ``vulnerable``, ``yanked`` or ``deleted``. ``ids`` are an advisory's id and
    its aliases. ``clear`` is the first release without it, ``uploaded`` its date;
    ``remedy``: ``date`` (a later asof brings it), ``override`` or ``none``.
    ``in_the_way`` are those whose requirements, or official constraints, do not admit it.
    ``accepted_until`` and ``reason`` are from accepted.txt; ``expired`` when that day is over.
    """

    name: str
    version: str
    kind: str
    ids: tuple[str, ...]
    summary: str = ""
    clear: str | None = None
    uploaded: str | None = None
    remedy: str = "none"
    in_the_way: tuple[str, ...] = ()
    accepted_until: str | None = None
    reason: str | None = None
    expired: bool = False

    @property
    def counts(self) -> bool:
        """Whether it fails the audit."""
        return self.accepted_until is None or self.expired


def audit(paths: Paths, matrix: Matrix, settings: Settings) -> None:
    """Audit the lock of the cell that ``settings`` choose, and print what was found.

    Raises AuditError when something is not accepted, or no longer; NetworkError when the
    index or the service of advisories does not answer.
    """
    cell = matrix.cell(settings.version, settings.suite, security=settings.security)
    own = paths.requirements / cell.version.name
    lock = lockfile.load(own / f"{cell.lock_name}.lock")
    tools = lockfile.load(own / f"{cell.suite.name}-build.lock")
    policy = accepted.load(own)
    known, database = osv.concerning(lock, settings.db)
    source = index.Index(index.configured())
    offered = _offered({file.name for file in (*lock.files, *tools.files)}, source)
    found = withdrawn((*lock.files, *tools.files), offered)
    vulnerable = group(lock, known)
    if vulnerable:
        needs = metadata.requires(lock, paths, source)
        edges = requires.edges(needs, cell.version.asked, cell.suite.python)
        ours = pins.load(own)
        constraints = official.used(lock.header)
        found += [
            _with_remedy(one, group_, known, offered[one.name], edges, ours, cell, constraints)
            for one, group_ in vulnerable
        ]
    today = datetime.datetime.now(datetime.UTC).date()
    found = sorted((judged(one, policy, today) for one in found), key=lambda f: (f.name, f.ids))
    counts = count(found)
    if settings.format == "json":
        document = {"cell": cell.name, "database": database, "counts": counts}
        print(json.dumps(document | {"findings": [asdict(one) for one in found]}, indent=1))
    else:
        _show(found, policy, counts, f"{cell.name}, {len(lock.files)} distributions", database)
    failed = [one for one in found if one.counts]
    if failed:
        late = sum(one.expired for one in failed)
        raise AuditError(
            f"{cell.name}: {len(failed)} findings that nobody has accepted"
            + (f", {late} of them no longer" if late else ""),
            hint=f"clear them, or write them into requirements/{cell.version.name}/accepted.txt "
            "with a date and a reason",
        )


def group(lock: Lock, known: Iterable[Advisory]) -> list[tuple[Finding, list[Advisory]]]:
    """One finding for each vulnerability of what is locked: databases have several records of one.

    Those are told by their ids and aliases.
    """
    locked = {file.name: file.version for file in lock.files}
    found: list[tuple[str, set[str], list[Advisory]]] = []
    for advisory in sorted(known, key=lambda a: a.id):
        if advisory.name not in locked or not advisory.affects(Version(locked[advisory.name])):
            continue
        ids, group_ = {advisory.id, *advisory.aliases}, [advisory]
        for other in [o for o in found if o[0] == advisory.name and o[1] & ids]:
            found.remove(other)
            ids |= other[1]
            group_ = [*other[2], *group_]
        found.append((advisory.name, ids, group_))
    return [
        (
            Finding(
                name=name,
                version=locked[name],
                kind="vulnerable",
                ids=tuple(sorted(ids, key=_by_kind)),
                summary=next((a.summary for a in group_ if a.summary), ""),
            ),
            group_,
        )
        for name, ids, group_ in found
    ]


def withdrawn(files: Iterable[Locked], offered: Mapping[str, Sequence[File]]) -> list[Finding]:
    """What of ``files`` the index has yanked, or no longer has."""
    found = []
    for file in sorted(set(files)):
        there = next((f for f in offered[file.name] if f.filename == file.filename), None)
        kind = "deleted" if there is None else "yanked" if there.yanked else ""
        if kind:
            found.append(
                Finding(
                    name=file.name,
                    version=file.version,
                    kind=kind,
                    ids=(kind,),
                    summary=file.filename,
                )
            )
    return found


def clearing(
    name: str,
    locked: str,
    own: Sequence[Advisory],
    known: Iterable[Advisory],
    offered: Sequence[File],
    python: str,
) -> tuple[Version, datetime.date] | None:
    """The first later release of ``name`` that ``own`` do not affect, and its day.

    One that no other advisory of ``known`` affects either goes first: it is no use to go
    from one hole to the next.
    """
    others = [a for a in known if a.name == name]
    later = sorted(
        {
            version
            for file in offered
            if not file.yanked
            for version in releases(file.filename, name)
            if version > Version(locked) and not version.is_prerelease
        }
    )
    now = datetime.datetime.now(datetime.UTC)
    for against in (others, own):
        for version in later:
            if any(advisory.affects(version) for advisory in (*own, *against)):
                continue
            file = best(offered, name, str(version), Target(f"{python}.2", _GLIBC), now)
            if file is not None and file.uploaded is not None:
                return version, file.uploaded.date()
    return None


def in_the_way(
    name: str, version: Version, edges: Iterable[Edge], ours: Pins, constraints: str = ""
) -> tuple[str, ...]:
    """Whose requirements do not admit ``version`` of ``name``: ours by their place.

    ``constraints`` is the name of the official constraints that the lock was resolved
    with. They pin what it has, and so no later day brings another version.
    """
    overrides = [pin for pin in ours.overrides if pin.name == name]
    against = [
        f"{pin.place}: {pin.text}"
        for pin in (*overrides, *(pin for pin in ours.constraints if pin.name == name))
        if not pin.admits(str(version))
    ]
    # An override is in the place of what everybody else asks for.
    if not overrides:
        against += [f"official constraints: {constraints}"] if constraints else []
        against += [
            f"{edge.by or 'versions.sh'}: {edge.requirement.name}{edge.requirement.specifier}"
            for edge in edges
            if edge.name == name
            and not edge.requirement.specifier.contains(version, prereleases=True)
        ]
    return tuple(dict.fromkeys(against))


def judged(finding: Finding, policy: Iterable[Accepted], today: datetime.date) -> Finding:
    """``finding`` with what accepted.txt says of it."""
    own = [entry for entry in policy if entry.is_of(finding.name, finding.ids)]
    if not own:
        return finding
    last = max(own, key=lambda entry: entry.until)
    return replace(
        finding,
        accepted_until=last.until.isoformat(),
        reason=last.reason,
        expired=last.until < today,
    )


def count(found: Sequence[Finding]) -> dict[str, int]:
    """How many findings there are of each sort."""
    vulnerable = [one for one in found if one.kind == "vulnerable"]
    blocked = [o for o in vulnerable if any(w.startswith("apache-airflow") for w in o.in_the_way)]
    return {
        "vulnerabilities": len(vulnerable),
        "distributions": len({one.name for one in vulnerable}),
        "cleared by a later date": sum(one.remedy == "date" for one in vulnerable),
        "cleared by an override": sum(one.remedy == "override" for one in vulnerable),
        "of these against Airflow or a provider": len(blocked),
        "without a remedy": sum(one.remedy == "none" for one in vulnerable),
        "yanked": sum(one.kind == "yanked" for one in found),
        "deleted": sum(one.kind == "deleted" for one in found),
        "accepted": sum(not one.counts for one in found),
        "expired": sum(one.expired for one in found),
    }


def _with_remedy(
    finding: Finding,
    own: Sequence[Advisory],
    known: Iterable[Advisory],
    offered: Sequence[File],
    edges: Iterable[Edge],
    ours: Pins,
    cell: Cell,
    constraints: str,
) -> Finding:
    cleared = clearing(finding.name, finding.version, own, known, offered, cell.suite.python)
    if cleared is None:
        return finding
    version, day = cleared
    against = in_the_way(finding.name, version, edges, ours, constraints)
    return replace(
        finding,
        clear=str(version),
        uploaded=day.isoformat(),
        # One that was there already and was not chosen will not be on another day.
        remedy="date" if not against and day > cell.asof else "override",
        in_the_way=against,
    )


def _offered(names: Iterable[str], source: index.Index) -> dict[str, tuple[File, ...]]:
    ordered = sorted(names)
    with ThreadPoolExecutor(_THREADS) as pool:
        return dict(zip(ordered, pool.map(source.files, ordered), strict=True))


def _show(
    found: Sequence[Finding],
    policy: Iterable[Accepted],
    counts: Mapping[str, int],
    what: str,
    database: str,
) -> None:
    log.info(f"airflow-deb: audit of {what}, against {database}")
    for one in found:
        log.info(f"  {one.name} {one.version}: {', '.join(one.ids)}")
        if one.summary:
            log.info(f"      {one.summary[:90]}")
        if one.kind == "vulnerable":
            log.info(f"      {_remedy(one)}")
        if one.accepted_until:
            state = "was accepted until" if one.expired else "accepted until"
            log.info(f"      {state} {one.accepted_until}: {one.reason}")
    for entry in policy:
        if not any(entry.is_of(one.name, one.ids) for one in found):
            log.info(
                f"  {entry.place}: {entry.name} {entry.id} is not found any more: delete the line"
            )
    for name, number in counts.items():
        log.info(f"  {number:>5}  {name}")


def _remedy(one: Finding) -> str:
    if one.clear is None:
        return "no release clears it"
    if one.remedy == "date":
        return f"cleared by {one.clear}: asof={one.uploaded} or later"
    text = f"cleared by {one.clear} ({one.uploaded}) with the override {one.name}=={one.clear}"
    return f"{text}; in the way: {', '.join(one.in_the_way)}" if one.in_the_way else text


def _by_kind(id_: str) -> tuple[int, str]:
    kinds = ("PYSEC", "GHSA", "CVE")
    return (next((n for n, kind in enumerate(kinds) if id_.startswith(kind)), len(kinds)), id_)

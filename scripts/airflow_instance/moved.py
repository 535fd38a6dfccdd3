"""What another Airflow changes for an instance: options that it calls otherwise or has not,
daemons that come and go. Pure, but for reading the declaration.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from . import former, keys, ports
from .errors import InstanceError
from .instance import Instance
from .lint import respelled, strange
from .resolve import resolve
from .site import Site
from .versions import Option, Version, table


@dataclass(frozen=True)
class Moves:
    """From the Airflow ``old`` to that of ``instance``.

    ``options`` are those that were rendered, by their old spelling; None: there is none
    any more. ``declared`` are those of the declaration itself, ``strange`` those of it
    that have no name at all; ``shared`` is which of both the site's defaults have. ``gone``
    and ``new`` are daemons.
    """

    old: Version
    instance: Instance
    options: tuple[tuple[Option, Option | None], ...] = ()
    declared: tuple[tuple[Option, Option], ...] = ()
    strange: tuple[Option, ...] = ()
    shared: frozenset[Option] = frozenset()
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.options or self.declared or self.strange or self.gone or self.new)


def of(site: Site, instance: Instance, old: Version) -> Moves:
    """What is other than it was when ``old`` was installed, the declaration being the same."""
    version = instance.installation.version
    declared = tuple(respelled(instance.parameters, instance.installation).items())
    unknown = tuple(strange(instance.parameters, instance.installation))
    defaults = site.layout.seen(site.layout.defaults_file)
    shared = frozenset(
        option
        for option in (*dict(declared), *unknown)
        if instance.parameters[("airflow_config", *option)].origin.startswith(f"{defaults}:")
    )
    before = _before(site, instance, old)
    if before is None or old.numbers == version.numbers:
        return Moves(old, instance, declared=declared, strange=unknown, shared=shared)
    options: list[tuple[Option, Option | None]] = []
    for row in table().settings:
        was, now = row.option(old), row.option(version)
        if was and was in before.config and was != now and (now is None or now in instance.config):
            options.append((was, now))
    # One name may have had two purposes, of which one has none any more.
    there = {was for was, now in options if now}
    options = [(was, now) for was, now in options if now or was not in there]
    daemons = [[daemon.name for daemon in found.daemons] for found in (before, instance)]
    return Moves(
        old,
        instance,
        options=tuple(dict.fromkeys(options)),  # what is rendered for open, and for login
        declared=declared,
        strange=unknown,
        shared=shared,
        gone=tuple(name for name in daemons[0] if name not in daemons[1]),
        new=tuple(name for name in daemons[1] if name not in daemons[0]),
    )


def _before(site: Site, instance: Instance, old: Version) -> Instance | None:
    """The instance as it was for ``old``, whose files are gone; None when it never could be."""
    place = replace(instance.installation, version=old, packages=Path("/nonexistent"))
    try:
        declared = site.load(instance.name)
        kept = keys.load(site.layout, instance.name)[1]
        allocated = ports.load(site.layout, instance.name)
        return resolve(declared, site.facts, place, kept, allocated)
    except InstanceError:
        return None


def lines(moves: Moves) -> Iterator[str]:
    """The report, each line with the instance's name."""
    name, version = moves.instance.name, moves.instance.installation.version
    if not moves.any:
        return
    before = former.label(moves.old, moves.instance.installation)
    yield f"{name}: what Airflow {version} has otherwise than {before}:"
    for was, now in moves.options:
        yield f"{name}:   {_spelled(was)} " + (f"is {_spelled(now)}" if now else "is gone")
    for was, now in moves.declared:
        if (was, now) not in moves.options:
            yield f"{name}:   {_spelled(was)} is {_spelled(now)}"
    for option in moves.strange:
        yield f"{name}:   {_spelled(option)}, which is declared, is unknown to it"
    replaced = {row.name: row.replaces for row in table().daemons}
    for daemon in moves.new:
        instead_of = ", ".join(sorted(replaced[daemon] & set(moves.gone)))
        yield f"{name}:   daemon {daemon} " + (
            f"in place of {instead_of}" if instead_of else "is new"
        )
    instead = {old for daemon in moves.new for old in replaced[daemon]}
    for daemon in moves.gone:
        if daemon not in instead:
            yield f"{name}:   daemon {daemon} is gone"
    renamed = [was for was, _ in moves.declared if was not in moves.shared]
    if renamed:
        which = ", ".join(map(_spelled, renamed))
        yield f"{name}: to rename {which} in the declaration, too: {respell(name)}"
    for option in moves.strange:
        if option not in moves.shared:
            key = f"airflow_config.{option[0]}.{option[1]}"
            yield f"{name}: to take it out there: airflow-instance set {name} --unset {key}"
    if moves.shared:
        which = ", ".join(map(_spelled, sorted(moves.shared)))
        yield f"{name}: in /etc/airflow/defaults.yaml, for all instances: {which}"


def respell(name: str) -> str:
    """The command that writes the declaration in the installed version's spelling."""
    return f"airflow-instance respell {name}"


def _spelled(option: Option) -> str:
    return f"[{option[0]}] {option[1]}"

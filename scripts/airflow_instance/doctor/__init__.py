"""What is wrong with a host and its instances, each with the command that mends it.

A check is a small function: of the site for what instances share (HOST), of a Patient
for what is an instance's own (INSTANCE). One that fails is itself a finding, and the
others go on. Nothing is changed. Whether an instance lives is `check`'s business; this
is about what will sooner or later stop it, or let somebody in.

A new check: a function in the module of its topic, and its name in that module's CHECKS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from .. import declaration
from ..errors import InstanceError
from ..site import Site
from . import (
    accounts,
    configuration,
    credentials,
    daemons,
    databases,
    files,
    leftovers,
    machine,
    packages,
    ports,
)
from .finding import ERROR, Finding, HostCheck, InstanceCheck, Patient

HOST: tuple[HostCheck, ...] = (*machine.CHECKS, *leftovers.CHECKS)
INSTANCE: tuple[InstanceCheck, ...] = (
    *accounts.CHECKS,
    *files.CHECKS,
    *configuration.CHECKS,
    *packages.CHECKS,
    *ports.CHECKS,
    *credentials.CHECKS,
    *databases.CHECKS,
    *daemons.CHECKS,
)


def examine(
    site: Site,
    wanted: Sequence[str] = (),
    host: Sequence[HostCheck] = HOST,
    instance: Sequence[InstanceCheck] = INSTANCE,
) -> list[Finding]:
    """Everything that is wrong with the host and with ``wanted``, or all instances.

    Raises UnknownInstanceError for one of ``wanted`` that is not declared.
    """
    names, problems, _ = declaration.listed(site.layout)
    for name in wanted:
        if name not in names:
            site.load(name)
    found = [] if wanted else [_of("", problem) for problem in problems]
    for check in host:
        found += _isolated("", check.__name__, partial(check, site))
    for name in wanted or names:
        try:
            declared = site.load(name)
            if declared.absent:
                continue
            patient = Patient(site, name, site.view(declared))
        except InstanceError as error:
            found.append(_of(name, error))
            continue
        for one in instance:
            found += _isolated(name, one.__name__, partial(one, patient))
    return found


def _isolated(name: str, check: str, run: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What a check finds, with its own failure as a finding."""
    found: list[Finding] = []
    try:
        found.extend(run())
    except InstanceError as error:
        found.append(_of(name, error))
    except Exception as error:
        text = f"this could not be examined: {type(error).__name__}: {error}"
        found.append(Finding(ERROR, check, text, "report it", name))
    return [item if item.instance else item.of(name) for item in found]


def _of(name: str, error: InstanceError) -> Finding:
    return Finding(ERROR, "declaration", error.message, error.hint, name)

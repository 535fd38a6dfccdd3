"""Unpacking an instance's extra packages (see packages.py), and looking after them.

A child does it (inside/add_packages.py), which runs as the service user on the
installation's own Python: root neither unpacks anything nor looks inside.
"""

from __future__ import annotations

from pathlib import Path

from . import asuser
from .errors import ConflictError, HostError
from .host import Host
from .items import PackagesItem
from .launch import Launch
from .layout import Layout

_SCRIPT = Path(__file__).resolve().parent / "inside" / "add_packages.py"


def install(layout: Layout, host: Host, item: PackagesItem) -> None:
    """Unpack the packages of ``item``, whole or not at all.

    Raises ConflictError for what does not fit into the installation, or is not what was
    locked; HostError when it cannot be done.
    """
    where = layout.real(item.wheels)
    said = _run(layout, host, item, "install", str(where), text=item.lock)
    if said:
        more = f", and {len(said) - 1} more" if len(said) > 1 else ""
        raise ConflictError(
            f"the extra packages do not go in: {said[0]}{more}",
            hint=f"correct what is in {item.wheels}",
        )


def prune(layout: Layout, host: Host, item: PackagesItem) -> None:
    """Delete what was unpacked for ``item``'s instance before. Raises HostError."""
    _run(layout, host, item, "prune")


def damage(layout: Layout, host: Host, item: PackagesItem) -> list[str]:
    """What of the unpacked packages is not as it was; [] when all is. Raises HostError."""
    return _run(layout, host, item, "verify")


def _run(
    layout: Layout, host: Host, item: PackagesItem, verb: str, *words: str, text: str = ""
) -> list[str]:
    """What inside/add_packages.py finds wrong, a line each."""
    account = host.user(item.user)
    if account is None:
        raise HostError(f"there is no user {item.user}", hint="apply again")
    python = str(layout.real(f"{item.prefix}/bin/python"))
    directory = str(layout.real(item.directory))
    launch = Launch(
        program=python,
        arguments=(python, "-I", str(_SCRIPT), verb, directory, item.key, *words),
        user=item.user,
        uid=account.uid,
        gid=account.gid,
        home=item.home,
        environment={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": item.home},
    )
    done = asuser.run_below(layout, launch, text=text)
    if done.status == 0:
        return []
    if done.status == 1 and done.out.strip():
        return done.out.splitlines()
    raise HostError(f"{item.directory}: extra packages: {done.last_words}")

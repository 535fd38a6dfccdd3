"""A block of ports for each instance.

Allocated once, from what no declared instance uses, running or not, and tested
by binding; kept in /etc/airflow/ports.d/NAME.yaml, which everyone may read.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from . import document, readfile
from .errors import ConflictError, DeclarationError
from .layout import Layout
from .leaves import Leaf, Leaves
from .versions import table

# What each port of a block is for, by its place in the block.
SLOTS = ("web", "log_server", "triggerer_log_server", "health", "flower", "statsd")
BLOCK = 10
BLOCKS = 140
DEFAULT_START = 8600
_LINE = re.compile(r"([a-z_]+): ([1-9][0-9]{0,4})")
HEADER = "# Allocated by airflow-instance; `ports:` in the declaration overrides.\n"


@dataclass(frozen=True)
class Claim:
    """A port an instance has, and where that is said."""

    instance: str
    slot: str
    port: int
    origin: str


def load(layout: Layout, name: str) -> dict[str, int]:
    """The ports allocated to an instance; {} when there are none yet.

    Raises DeclarationError when the file is malformed.
    """
    where = layout.seen(layout.ports_file(name))
    source = readfile.read(layout.ports_file(name), where)
    if source and (found := _rendered(source.text)):
        return found
    root = document.parse(source.text, where) if source else None
    ports: dict[str, int] = {}
    for entry in root.entries if root else ():
        value = document.plain(entry.value)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65536:
            raise DeclarationError(
                f"{where}: {entry.key.text} is no port", hint=f"rm {where}, and apply again"
            )
        ports[entry.key.text] = value
    return ports


def _rendered(text: str) -> dict[str, int]:
    """The ports in a file as `render` writes it, which needs no parser; else {}.

    Each plan reads those of all instances.
    """
    matches = map(_LINE.fullmatch, text.splitlines())
    ports = {match[1]: int(match[2]) for match in matches if match}
    written = render(ports) == text and max(ports.values(), default=0) < 65536
    return ports if written else {}


def render(ports: Mapping[str, int]) -> str:
    """The file that `load` reads."""
    return HEADER + "".join(f"{slot}: {ports[slot]}\n" for slot in SLOTS if slot in ports)


def explicit(leaves: Leaves) -> dict[str, Leaf]:
    """The ports that a declaration fixes, in `ports` or by Airflow's own options."""
    found: dict[str, Leaf] = {}
    for setting in table().settings:
        for option in setting.options() if setting.port else ():
            leaf = leaves.get(("airflow_config", *option))
            if leaf and isinstance(leaf.value, (int, str)) and str(leaf.value).isdigit():
                found[setting.port] = Leaf(int(leaf.value), leaf.origin)
    for slot in SLOTS:
        if leaf := leaves.get(("ports", slot)):
            found[slot] = leaf
    return found


def claims(name: str, leaves: Leaves, allocated: Mapping[str, int], where: str) -> list[Claim]:
    """Every port the instance has: the fixed ones, and the allocated for the rest."""
    fixed = explicit(leaves)
    return [
        Claim(name, slot, int(str(fixed[slot].value)), fixed[slot].origin)
        if slot in fixed
        else Claim(name, slot, allocated[slot], where)
        for slot in SLOTS
        if slot in fixed or slot in allocated
    ]


def check(own: Iterable[Claim], others: Iterable[Claim]) -> None:
    """Raise ConflictError when two slots have one port.

    Where metrics are sent to is no port of the instance's own: several may share it.
    """
    taken: dict[int, Claim] = {c.port: c for c in others if c.slot != "statsd"}
    for claim in own:
        if claim.slot != "statsd" and (other := taken.get(claim.port)):
            raise ConflictError(
                f"{claim.origin}: port {claim.port} ({claim.slot}) of {claim.instance} is already "
                f"{other.instance}'s ({other.slot}, {other.origin})",
                hint=f"choose another, or take ports.{claim.slot} away to get one allocated",
            )
        taken[claim.port] = claim


def allocate(
    have: Mapping[str, int],
    fixed: Mapping[str, Leaf],
    taken: Iterable[int],
    start: int,
    free: Callable[[int], bool],
) -> dict[str, int]:
    """Ports for every slot: those it has stay, the rest are from the first free block.

    Raises ConflictError when there is no such block.
    """
    ports = {slot: have[slot] for slot in SLOTS if slot in have}
    missing = [slot for slot in SLOTS if slot not in ports]
    used = set(taken) | {int(str(leaf.value)) for leaf in fixed.values()}
    if not missing:
        return ports
    last = min(start + BLOCKS * BLOCK, 65536 - BLOCK)
    for base in range(start, last, BLOCK):
        block = {slot: base + SLOTS.index(slot) for slot in missing}
        if not used & set(range(base, base + BLOCK)) and all(map(free, block.values())):
            return {slot: ports.get(slot) or block[slot] for slot in SLOTS}
    raise ConflictError(
        f"no block of {BLOCK} ports is free from {start} to {last}",
        hint="set port_range_start to where there is room",
    )


def can_bind(port: int) -> bool:
    """Whether nothing listens on ``port`` of any address, TCP or UDP."""
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                with socket.socket(family, kind) as probe:
                    if family == socket.AF_INET6:
                        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    if kind == socket.SOCK_STREAM:
                        # A connection that was closed lately is no listener.
                        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((address, port))
            except OSError:
                if family == socket.AF_INET6 and not _has_ipv6():
                    continue
                return False
    return True


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True

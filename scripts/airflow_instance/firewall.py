"""Who may reach an instance's ports from other hosts: a table for nftables."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Union

from .instance import Instance
from .items import AbsentItem, FileItem, Item
from .layout import Layout
from .ports import SLOTS
from .render import header

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

# Where metrics are sent to, over UDP: nobody's way in.
_NO_WAY_IN = "statsd"


def parse(text: str) -> list[Network]:
    """The ranges of a declaration, spaces or commas between them, IPv4 first.

    Raises ValueError, with the remedy, for one that is none.
    """
    found: list[Network] = []
    for word in text.replace(",", " ").split():
        try:
            found.append(ipaddress.ip_network(word))
        except ValueError as error:
            try:
                better = f"did you mean {ipaddress.ip_network(word, strict=False)}?"
            except ValueError:
                better = "give it as in 10.0.0.0/8 or 2001:db8::/32"
            raise ValueError(f"{word} is no range of addresses; {better}") from error
    if not found:
        raise ValueError("there is no range in it; take the line away, or give one")
    four = [network for network in found if isinstance(network, ipaddress.IPv4Network)]
    six = [network for network in found if isinstance(network, ipaddress.IPv6Network)]
    # nftables takes no ranges that overlap.
    return [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]


def items(instance: Instance) -> Iterable[Item]:
    """The rules, for an instance with firewall_ranges."""
    leaf = instance.parameters.get(("firewall_ranges",))
    if leaf is None:
        yield from retired(instance.name)
    else:
        text = render(instance.name, parse(str(leaf.value)), _ports(instance))
        yield FileItem(Layout.firewall_file(instance.name), text.encode())


def retired(name: str) -> Iterable[Item]:
    """No rules; those that are loaded stay until nftables is reloaded."""
    yield AbsentItem(Layout.firewall_file(name))


def _ports(instance: Instance) -> list[int]:
    """All TCP ports: which of them an Airflow binds beyond loopback is its own affair."""
    found = {instance.ports[slot] for slot in SLOTS if slot in instance.ports}
    return sorted(found - {instance.ports.get(_NO_WAY_IN, 0)})


def render(name: str, ranges: Sequence[Network], ports: Sequence[int]) -> str:
    """A file that nft loads, again and again: a table of its own, made anew each time."""
    table = f"inet airflow_{name.replace('-', '_')}"
    numbers = ", ".join(map(str, ports))
    accepted = ""
    for version, family in ((4, "ip"), (6, "ip6")):
        networks = [network for network in ranges if network.version == version]
        if any(network.prefixlen == 0 for network in networks):
            accepted += f"        meta nfproto ipv{version} accept\n"
        elif networks:
            accepted += f"        {family} saddr {{ {', '.join(map(str, networks))} }} accept\n"
    return (
        f"{header(name)}"
        "# For /etc/nftables.conf, behind its own rules, which have to let these ports pass:\n"
        '#     include "/etc/airflow/nftables.d/*.nft"\n'
        f"# nft -f {Layout.firewall_file(name)} loads it at once.\n"
        f"table {table}\n"
        f"delete table {table}\n"
        f"table {table} {{\n"
        "    chain input {\n"
        "        type filter hook input priority 0; policy accept;\n"
        '        iifname "lo" accept\n'
        "        ct state established,related accept\n"
        f"{accepted}"
        f"        tcp dport {{ {numbers} }} reject with tcp reset\n"
        "    }\n"
        "}\n"
    )

"""The table for nftables: which ranges may reach which ports."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_instance import firewall

from .conftest import Run

PATH = "etc/airflow/nftables.d/a-b.nft"


def declared(ranges: str) -> str:
    return f'create_user: true\nfirewall_ranges: "{ranges}"\n'


def test_the_table(root: Path, run: Run, declare: Callable[..., Path]) -> None:
    declare("a-b", declared("10.0.0.0/8 2001:db8::/32, 192.0.2.7"))
    assert run("apply") == 0
    text = (root / PATH).read_text()
    lines = [line.strip() for line in text.splitlines() if not line.startswith("#")]
    assert lines == [
        "table inet airflow_a_b",
        "delete table inet airflow_a_b",
        "table inet airflow_a_b {",
        "chain input {",
        "type filter hook input priority 0; policy accept;",
        'iifname "lo" accept',
        "ct state established,related accept",
        "ip saddr { 10.0.0.0/8, 192.0.2.7/32 } accept",
        "ip6 saddr { 2001:db8::/32 } accept",
        # Not 8605, where metrics are sent to.
        "tcp dport { 8600, 8601, 8602, 8603, 8604 } reject with tcp reset",
        "}",
        "}",
    ]
    assert f'include "/{Path(PATH).parent}/*.nft"' in text


def test_it_follows_the_ports_and_goes_with_the_ranges(
    root: Path, run: Run, declare: Callable[..., Path]
) -> None:
    declare("a-b", declared("10.0.0.0/8") + "ports: {web: 443}\n")
    assert run("apply") == 0
    assert "dport { 443, 8601, 8602, 8603, 8604 }" in (root / PATH).read_text()
    declare("a-b", "create_user: true\n")
    assert run("apply") == 0
    assert not (root / PATH).exists()
    declare("a-b", declared("10.0.0.0/8"))
    assert run("apply") == 0
    declare("a-b", declared("10.0.0.0/8") + "ensure: absent\n")
    assert run("apply") == 0
    assert not (root / PATH).exists()


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        ("10.0.0.1/8", "did you mean 10.0.0.0/8?"),
        ("10.0.0.0/33", "give it as in 10.0.0.0/8"),
        ("10.0.0", "give it as in 10.0.0.0/8"),
        ("10.0.0.0/8 dead:beef", "dead:beef is no range of addresses"),
        (" ", "there is no range in it"),
        ("10.0.0.0/8 } accept", "firewall_ranges is"),
        ("any", "firewall_ranges is"),
    ],
)
def test_what_is_no_range(
    ranges: str,
    said: str,
    run: Run,
    root: Path,
    declare: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    declare("a-b", declared(ranges))
    assert run("apply") == 3
    message = capsys.readouterr().err
    assert "instances.d/a-b.yaml:2: firewall_ranges" in message
    assert said in message
    assert not (root / PATH).exists()


def test_everywhere_is_no_set() -> None:
    """nftables has no interval that is all there is."""
    text = firewall.render("a", firewall.parse("0.0.0.0/0 10.0.0.0/8 ::/0"), [1])
    assert "saddr" not in text
    assert "meta nfproto ipv4 accept" in text
    assert "meta nfproto ipv6 accept" in text


NETWORKS = st.one_of(
    st.builds(
        lambda address, length: ipaddress.ip_network((address, length), strict=False),
        st.ip_addresses(v=4),
        st.integers(0, 32),
    ),
    st.builds(
        lambda address, length: ipaddress.ip_network((address, length), strict=False),
        st.ip_addresses(v=6),
        st.integers(0, 128),
    ),
)


@given(st.lists(NETWORKS, min_size=1, max_size=8))
def test_the_same_addresses_without_overlap(networks: list[firewall.Network]) -> None:
    found = firewall.parse(" ".join(map(str, networks)))
    for network in networks:
        same = [other for other in found if other.version == network.version]
        assert any(network.subnet_of(other) for other in same)  # type: ignore[arg-type]
    for index, one in enumerate(found):
        for other in found[index + 1 :]:
            assert one.version != other.version or not one.overlaps(other)
    assert re.search(r"saddr|nfproto", firewall.render("a", found, [1]))

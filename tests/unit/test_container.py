"""The command line of a container, without running one."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_deb import container
from airflow_deb.container import Bind, Spec


def spec(*, network: bool = False) -> Spec:
    return Spec(
        name="airflow-deb-x",
        layers=(Path("/top"), Path("/base")),
        scratch=Path("/scratch"),
        binds=(Bind(Path("/in"), "/build/in"), Bind(Path("/out"), "/build/out", read_only=False)),
        network=network,
        env={"SOURCE_DATE_EPOCH": "1"},
    )


def test_without_a_network_there_is_only_a_private_one() -> None:
    words = container.nspawn(spec())
    assert "--private-network" in words
    assert not any("resolv-conf" in word for word in words)


def test_with_a_network_the_hosts_names_resolve() -> None:
    words = container.nspawn(spec(network=True))
    assert "--private-network" not in words
    assert "--resolv-conf=copy-host" in words


def test_it_dies_with_the_builder_and_mounts_in_its_own_namespace() -> None:
    words = container.nspawn(spec())
    assert words[: len(container.namespace())] == container.namespace()
    assert {"--pdeathsig", "--mount", "--pid", "--kill-child=KILL"} <= set(words)


def test_layers_binds_and_environment_are_told() -> None:
    words = container.nspawn(spec(), "--boot")
    assert "lowerdir=/top:/base,upperdir=/scratch/upper,workdir=/scratch/work" in words
    assert "--bind-ro=/in:/build/in" in words
    assert "--bind=/out:/build/out" in words
    assert "--setenv=SOURCE_DATE_EPOCH=1" in words
    assert "--boot" in words


def test_the_callers_environment_stays_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    offline = " ".join(container.nspawn(spec()))
    assert "hunter2" not in offline
    assert "proxy" not in offline
    assert "--setenv=https_proxy=http://proxy:3128" in container.nspawn(spec(network=True))

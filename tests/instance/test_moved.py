"""What another Airflow calls otherwise: daemons, options, and those in a declaration."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_instance import former, moved, units
from airflow_instance.layout import Layout, unit
from airflow_instance.running import view
from airflow_instance.site import Site
from airflow_instance.versions import parse

from . import fakesystemd
from .conftest import Run, Swap
from .fakesystemd import SCHEDULER, TRIGGERER, WEB, FakeHost

Capture = pytest.CaptureFixture[str]
API, DAGS = (unit(name, "a") for name in ("api-server", "dag-processor"))


@pytest.fixture
def host(site: Site, run: Run) -> FakeHost:
    return fakesystemd.install(site, run)


@pytest.mark.parametrize(
    ("ran", "had", "now"),
    [
        ([WEB], [WEB, SCHEDULER, TRIGGERER], [API]),
        ([SCHEDULER], [WEB, SCHEDULER, TRIGGERER], [SCHEDULER, DAGS]),
        ([TRIGGERER], [WEB, SCHEDULER, TRIGGERER], [TRIGGERER]),
        ([WEB, SCHEDULER], [WEB, SCHEDULER], [API, SCHEDULER, DAGS, TRIGGERER]),
        # The same Airflow: somebody had stopped the DAG processor.
        ([SCHEDULER], [API, SCHEDULER, DAGS], [SCHEDULER]),
    ],
)
def test_successors(
    ran: list[str], had: list[str], now: list[str], host: FakeHost, site: Site, swap: Swap
) -> None:
    swap("3.3")
    assert units.successors(view(site, "a"), ran, had) == now


def test_predecessors(host: FakeHost, site: Site) -> None:
    instance, had = view(site, "a"), [API, SCHEDULER, DAGS, TRIGGERER]
    assert units.successors(instance, [API], had) == [WEB]
    assert units.successors(instance, [DAGS], had) == [SCHEDULER]


def test_respell(
    site: Site, run: Run, root: Path, swap: Swap, declare: Callable[..., Path], capsys: Capture
) -> None:
    text = """\
# by hand
ensure: present
create_user: true
airflow_config:
  core:
    dag_concurrency: 7  # not too many
    parallelism: 9
  webserver:
    web_server_host: 127.0.0.1
"""
    path = declare("b", text)
    declare("b", "airflow_config:\n  webserver:\n    secret_key: s3cret\n", "secrets")
    assert run("apply", "b") == 0
    swap("3.3")
    before = cfg_of(site, "b")
    assert run("apply", "b") == 0
    rendered = cfg_of(site, "b")
    assert before != rendered
    assert run("respell", "b", "--dry-run") == 0
    assert path.read_text() == text
    assert run("respell", "b") == 0
    assert "s3cret" not in capsys.readouterr().out
    assert "# by hand" in path.read_text()
    assert "dag_concurrency" not in path.read_text()
    assert "webserver" not in path.read_text()
    assert "    max_active_tasks_per_dag: 7" in path.read_text()
    assert "webserver" not in (root / "etc/airflow/secrets.d/b.yaml").read_text()
    assert run("apply", "b", "--detailed-exitcode") == 2
    assert cfg_of(site, "b") == rendered
    assert run("respell", "b") == 2


def cfg_of(site: Site, name: str) -> str:
    return (site.layout.root / f"srv/airflow-{name}/airflow.cfg").read_text()


def test_a_rebuild_changes_no_names(host: FakeHost, site: Site) -> None:
    instance = view(site, "a")
    found = moved.of(site, instance, parse("2.11.2"))
    assert (found.options, found.gone, found.new) == ((), (), ())
    found = moved.of(site, instance, parse("2.1.0"))
    assert len(found.options) == len(set(found.options)) > 0


def test_what_is_written_down_survives_other_versions_of_the_tool(
    host: FakeHost, site: Site, root: Path
) -> None:
    """Only what is read of it has to be there."""
    path = root / Layout.target_file("a")[1:]
    data = {"installation": "/usr/lib/airflow/lib/python3.9/x/apache_airflow-2.1.0.dist-info"}
    path.write_text(f"# comment\n{json.dumps(data)}\n")
    assert str(former.outdated(site.tree, "a", view(site, "a").installation)) == "2.1.0"
    for text in ("", "{", "[]", '{"installation": "/x"}'):
        path.write_text(text)
        assert former.outdated(site.tree, "a", view(site, "a").installation) is None

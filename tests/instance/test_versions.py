"""The table of versions, the schema, and what is read of an installation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_instance import installation, schema, versions
from airflow_instance.errors import InstallationError
from airflow_instance.layout import data_file
from airflow_instance.leaves import Leaf
from airflow_instance.lint import user_options
from airflow_instance.site import Site

# Of every option in the table, those in each version's own default configuration.
OPTIONS = json.loads((Path(__file__).parent / "data" / "options.json").read_text())
PROVIDERS = ("fab", "celery")  # whose options are in their own packages


@pytest.mark.parametrize("version", sorted(OPTIONS))
def test_every_spelling_is_the_versions_own(version: str) -> None:
    known = set(OPTIONS[version])
    for row in versions.table().settings:
        option = row.option(versions.parse(version))
        if option and option[0] not in PROVIDERS:
            assert ".".join(option) in known, row.purpose


@pytest.mark.parametrize(
    ("version", "daemons"),
    [
        ("2.1.0", ["webserver", "scheduler"]),
        ("2.11.2", ["webserver", "scheduler", "triggerer"]),
        ("3.3.2", ["api-server", "scheduler", "dag-processor", "triggerer"]),
    ],
)
def test_daemons(version: str, daemons: list[str]) -> None:
    found = versions.table().daemons_of(versions.parse(version), frozenset())
    assert [daemon.name for daemon in found] == daemons
    more = versions.table().daemons_of(versions.parse(version), frozenset(["kerberos", "celery"]))
    assert {"kerberos", "celery-worker", "flower"} <= {daemon.name for daemon in more}


def test_database_commands() -> None:
    table = versions.table()
    assert table.database_commands(versions.parse("2.1.0"))["init"] == ("db", "init")
    assert table.database_commands(versions.parse("2.6.3"))["upgrade"] == ("db", "upgrade")
    assert table.database_commands(versions.parse("3.0.0rc1"))["upgrade"] == ("db", "migrate")


def test_versions_are_numbers() -> None:
    assert versions.parse("2.10.0").at_least("2.9")
    assert not versions.parse("2.9.9").at_least("2.10")
    assert str(versions.parse("3.0.0rc1")) == "3.0.0rc1"
    with pytest.raises(InstallationError, match="older than the oldest"):
        versions.parse("1.10.15")


def test_finds_installations(site: Site, root: Path) -> None:
    found = {i.prefix: str(i.version) for i in installation.find_all(site.layout)}
    assert found == {
        "/usr/lib/airflow": "2.11.2",
        "/usr/lib/airflow-2.1": "2.1.0",
        "/usr/lib/airflow-3.3": "3.3.2",
    }
    with pytest.raises(InstallationError, match="apt install airflow"):
        installation.find(type(site.layout)(root / "nowhere"), "/usr/lib/airflow")
    packages = installation.find(site.layout, "/usr/lib/airflow").packages
    (packages / "apache_airflow-2.10.0.dist-info").mkdir()
    with pytest.raises(InstallationError, match=r"holds Airflow 2\.10\.0 and 2\.11\.2 at once"):
        installation.find(site.layout, "/usr/lib/airflow")


def test_reads_known_options_of_both_forms(site: Site) -> None:
    old = installation.known_options(installation.find(site.layout, "/usr/lib/airflow-2.1"))
    new = installation.known_options(installation.find(site.layout, "/usr/lib/airflow"))
    assert "dag_concurrency" in old["core"]
    assert "max_active_tasks_per_dag" in new["core"]
    assert "worker_concurrency" in new["celery"]


def lint(site: Site, prefix: str, **options: object) -> tuple[set[tuple[str, str]], str]:
    """The options and the warnings that airflow_config with ``options`` gives."""
    leaves = {
        ("airflow_config", *name.split("__")): Leaf(value, "f:1") for name, value in options.items()
    }
    found, warnings = user_options(leaves, installation.find(site.layout, prefix))
    return set(found), "\n".join(warnings)


@pytest.mark.parametrize(
    ("prefix", "option", "becomes", "warning"),
    [
        ("", "core__parallelism", "core.parallelism", ""),
        ("", "core__paralelism", "core.paralelism", "has no option [core] paralelism; did you"),
        (
            "",
            "core__dag_concurrency",
            "core.max_active_tasks_per_dag",
            "is [core] max_active_tasks_per_dag in Airflow 2.11.2; rendered there",
        ),
        (
            "-2.1",
            "core__max_active_tasks_per_dag",
            "core.dag_concurrency",
            "is [core] dag_concurrency in Airflow 2.1.0",
        ),
        ("-3.3", "scheduler__parsing_processes", "dag_processor.parsing_processes", "rendered"),
        ("", "core__page_size", "core.page_size", "there is one in [webserver]"),
        (
            "",
            "core__remote_logging",
            "logging.remote_logging",
            "is [logging] remote_logging in Airflow",
        ),
        ("", "wbserver__page_sizes", "wbserver.page_sizes", "did you mean [webserver]?"),
        ("", "core__pagesize", "core.pagesize", "did you mean [webserver] page_size?"),
        ("", "celery__worker_concurrency", "celery.worker_concurrency", ""),
        ("", "kubernetes_labels__a", "kubernetes_labels.a", ""),
    ],
)
def test_options_of_other_versions_and_typing_errors(
    site: Site, prefix: str, option: str, becomes: str, warning: str
) -> None:
    found, said = lint(site, f"/usr/lib/airflow{prefix}", **{option: 1})
    assert found == {tuple(becomes.split("."))}
    assert (warning in said) if warning else said == ""


def test_two_spellings_of_one_option(site: Site) -> None:
    found, said = lint(
        site, "/usr/lib/airflow", core__dag_concurrency=1, core__max_active_tasks_per_dag=2
    )
    assert found == {("core", "max_active_tasks_per_dag")}
    assert "only that one counts" in said


def test_schema_uses_only_what_is_checked() -> None:
    assert schema.unsupported() == []
    data = json.loads(data_file("schema.json").read_text())
    assert data["$schema"].endswith("2020-12/schema")
    assert schema.unsupported({"properties": {"a": {"oneOf": []}}}) == ["oneOf"]


def test_schema_describes_every_parameter() -> None:
    for name, row in schema.parameters().items():
        assert row.get("description"), name


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"db_port": 5432.0}, "db_port is 5432.0, not a whole number"),
        ({"create_user": 1}, "create_user is 1, not true or false"),
        ({"service_user": "a" * 33}, "service_user is"),
        ({"description": "x" * 201}, "description has 201 characters; it needs at most 200"),
        ({"connections": {"a b": "x://y"}}, "'a b' cannot be a key of connections"),
    ],
)
def test_validation_messages(value: dict[str, Any], message: str) -> None:
    found = schema.validate(value, lambda path: "f:1", templates=True)
    assert message in str(found[0])


def test_templates_may_have_any_form(declare: Callable[..., Path]) -> None:
    value = {"airflow_home": "%{x}"}
    assert schema.validate(value, lambda path: "f", templates=True) == []
    assert schema.validate(value, lambda path: "f", templates=False) != []

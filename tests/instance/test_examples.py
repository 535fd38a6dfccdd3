"""The declarations that the package has as examples are declarations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from airflow_instance import schema

EXAMPLES = Path(__file__).resolve().parents[2] / "scripts" / "examples"
NAMES = sorted(p.stem for p in EXAMPLES.glob("*.yaml") if not p.stem.endswith(".secrets"))


def test_there_are_examples() -> None:
    assert {"team", "hadoop"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_can_be_declared(
    name: str,
    run: Callable[..., int],
    declare: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    declare(name, (EXAMPLES / f"{name}.yaml").read_bytes())
    secrets = EXAMPLES / f"{name}.secrets.yaml"
    if secrets.exists():
        declare(name, secrets.read_bytes(), "secrets", 0o600)
    if "db_host" in (EXAMPLES / f"{name}.yaml").read_text():
        declare(name, "db_password: secret\n", "secrets", 0o600)
    assert run("show", name) == 0, capsys.readouterr().err
    shown = capsys.readouterr().out
    assert f"# /etc/airflow/instances.d/{name}.yaml:" in shown
    assert "change me" not in shown
    assert "change%20me" not in shown


def standard(declaration: object) -> list[str]:
    """What a validator that knows nothing of us says of a declaration, as an editor does."""
    Draft202012Validator.check_schema(schema.load())
    validator = Draft202012Validator(schema.load())
    return [error.message for error in validator.iter_errors(declaration)]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: str(path.name))
def test_the_schema_is_one_for_editors(path: Path) -> None:
    assert standard(yaml.safe_load(path.read_text(encoding="utf-8"))) == []


def test_the_schema_knows_placeholders() -> None:
    assert (
        standard({"airflow_home": "/srv/airflow-%{name}", "service_user": "airflow-%{name}"}) == []
    )
    assert standard({"db_host": "db-%{name}", "kerberos_realm": "%{hostname}"}) == []
    for key, value in {"airflow_home": "srv", "service_user": "A b", "db_host": "a b"}.items():
        assert standard({key: value}), key

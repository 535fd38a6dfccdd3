"""The declarations that the package has as examples are declarations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

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

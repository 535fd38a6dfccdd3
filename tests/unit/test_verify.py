"""`make verify` of a package that has nothing beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_deb import companions, paths, settings, verify, versions
from airflow_deb.errors import IncompleteError, VerifyError

MATRIX = versions.load(paths.PROJECT / "versions.sh")


def said(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the first check of the package called ``name`` says."""
    deb = tmp_path / f"{name}_1.0-1+airflow2.1.0~deb11u1_all.deb"
    deb.write_bytes(b"deb")
    (tmp_path / "key.asc").write_bytes(b"key")
    wanted = settings.Settings(deb=str(deb), keyring=str(tmp_path / "key.asc"))
    with pytest.raises(VerifyError) as caught:
        verify.verify(paths.default(), MATRIX, tmp_path / "uv", wanted)
    assert caught.value.status == IncompleteError.status
    return capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize("name", ["airflow-plugin-team", "airflow-2.11-plugin-team"])
def test_a_plugin_is_said_to_have_none(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "it is a plugin's: make plugin leaves no SBOM" in said(tmp_path, name, capsys)


def test_of_any_other_package_they_are_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = said(tmp_path, "airflow", capsys)
    assert "not beside it: " in line
    assert all(suffix in line for suffix in companions.ALL)

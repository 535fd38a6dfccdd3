"""What is set on the command line of make."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_deb import settings, versions
from airflow_deb.binary import AIRFLOW, BINARIES, INSTANCES, chosen, named
from airflow_deb.errors import UsageError

MATRIX = versions.load(Path(__file__).resolve().parents[2] / "versions.sh")


def test_nothing_set_means_the_defaults() -> None:
    found = settings.read({})
    assert found == settings.Settings()
    assert found.compression(MATRIX.suites["bullseye"]) == ("xz", 2)


def test_switches() -> None:
    found = settings.read({"DRY_RUN": "1", "FAST": "yes", "KEEP": "0", "NO_WAIT": "1"})
    assert (found.dry_run, found.fast, found.keep, found.wait) == (True, True, False, False)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"FAST": "1"}, ("none", 0)),
        ({"COMPRESS": "best"}, ("xz", 9)),
        ({"COMPRESS": "xz:6"}, ("xz", 6)),
    ],
)
def test_compression(environ: dict[str, str], expected: tuple[str, int]) -> None:
    assert settings.read(environ).compression(MATRIX.suites["bullseye"]) == expected


def test_fast_compresses_where_that_costs_nothing() -> None:
    found = settings.read({"FAST": "1"})
    assert found.compression(MATRIX.suites["trixie"]) == ("zstd", 1)


def test_what_bullseye_cannot_read_is_refused() -> None:
    with pytest.raises(UsageError, match="zstd"):
        settings.read({"COMPRESS": "zstd:3"}).compression(MATRIX.suites["bullseye"])


@pytest.mark.parametrize("environ", [{"FAST": "maybe"}, {"RESOLVER": "poetry"}, {"DRY_RUN": "2"}])
def test_a_wrong_setting_is_a_usage_error(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        settings.read(environ)
    assert caught.value.hint


def test_a_wrong_compression_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="lzma"):
        settings.read({"COMPRESS": "lzma"}).compression(MATRIX.suites["bullseye"])


def test_package_chooses_one_of_the_two() -> None:
    assert chosen(settings.read({}).package) == BINARIES
    assert chosen(settings.read({"PACKAGE": " airflow "}).package) == (AIRFLOW,)
    assert chosen("airflow-instances") == (INSTANCES,)


def test_a_name_is_the_package_s_with_airflow_inside() -> None:
    own = named("airflow-2.11")
    found = settings.read({"NAME": " airflow-2.11 "})
    assert chosen(found.package, found.name) == (INSTANCES, own)
    assert chosen("airflow", "airflow-2.11") == chosen("airflow-2.11", "airflow-2.11") == (own,)
    assert chosen("airflow-instances", "airflow-2.11") == (INSTANCES,)
    assert own.is_airflow


@pytest.mark.parametrize("name", ["airflow", "airflow-2.11", "airflow-3", "airflow-lts+1.x"])
def test_names_that_fit(name: str) -> None:
    assert settings.read({"NAME": name}).name == named(name).name == name


@pytest.mark.parametrize(
    "name",
    [
        *("2.11", "apache-airflow", "airflow2", "airflow-", "airflow--x", "airflow-.1"),
        *("Airflow-2.11", "airflow-A", "airflow_2", "airflow-2_11", "airflow-2/11", "airflow-é"),
        *("airflow-2 11", "airflow-2\n"),
        *("airflow-instances", "airflow-instance", "airflow-environment", "airflow-plugin-x"),
    ],
)
def test_names_that_do_not_are_usage_errors(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        named(name)
    assert repr(name) in str(caught.value)
    assert "airflow-2.11" in caught.value.hint


def test_an_unknown_package_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="write airflow or airflow-instances"):
        chosen("airflow-instance")

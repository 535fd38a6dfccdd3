"""versions.sh: what it gives, and each way it can be wrong."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_deb import versions
from airflow_deb.errors import ConfigError, UsageError

PROJECT = Path(__file__).resolve().parents[2]
GOOD = """\
suites="bullseye trixie"
bullseye_debian="11"
bullseye_python="3.9"
bullseye_mirror=""
bullseye_compression="xz:2"
trixie_debian="13"
trixie_python="3.13"
trixie_mirror=""
trixie_compression="zstd:10"
extras="all"
addons_2="ipykernel airflow-exporter==1.5.1"
v2_1_0="suites=bullseye pythons=3.8,3.9 asof=2021-06-30"
constraints_url=""
"""


def parse(text: str) -> versions.Matrix:
    return versions.parse(text, Path("versions.sh"))


def test_the_real_file_has_the_cells_that_are_promised() -> None:
    names = {cell.name for cell in versions.load(PROJECT / "versions.sh").cells()}
    promised = {
        "bullseye": ("2.1.0", "2.1.4", "2.10.5"),
        "bookworm": ("2.10.5", "2.11.2", "3.3.2"),
        "trixie": ("3.3.2",),
    }
    assert {f"{version}-{suite}" for suite in promised for version in promised[suite]} <= names


def test_a_cell_knows_its_names() -> None:
    cell = parse(GOOD).cell("2.1.0")
    assert cell.name == "2.1.0-bullseye"
    assert cell.deb_version == "2.1.0-1~deb11u1"
    assert cell.version.asked == (
        "apache-airflow[all]==2.1.0",
        "ipykernel",
        "airflow-exporter==1.5.1",
    )


def test_a_release_candidate_sorts_before_its_release() -> None:
    text = GOOD.replace("v2_1_0=", "v2_1_0rc1=")
    assert parse(text).cell("2.1.0rc1").deb_version == "2.1.0~rc1-1~deb11u1"


@pytest.mark.parametrize(
    ("version", "suite", "said"),
    [
        ("", "", "write VERSION="),
        ("2.1.1", "", "did you mean 2.1.0?"),
        ("2.1.0", "bulseye", "did you mean bullseye?"),
        ("2.1.0", "trixie", "cannot run on trixie, whose Python is 3.13"),
    ],
)
def test_what_is_not_there_is_refused_with_the_nearest(version: str, suite: str, said: str) -> None:
    with pytest.raises(UsageError, match=None) as caught:
        parse(GOOD).cell(version, suite)
    assert said in str(caught.value)


def test_a_suite_that_would_fit_is_told_how_to_add_it() -> None:
    text = GOOD.replace("pythons=3.8,3.9", "pythons=3.9,3.13")
    with pytest.raises(UsageError) as caught:
        parse(text).cell("2.1.0", "trixie")
    assert "add trixie to the suites of v2_1_0" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('="11"', "=11", "versions.sh:2: not a plain assignment"),
        ('="11"', '="$(reboot)"', "versions.sh:2: not a plain assignment"),
        ('="11"', '="eleven"', "versions.sh:2: bullseye_debian: 'eleven'"),
        ('bullseye_python="3.9"', 'bullseye_python="3"', "versions.sh:3: bullseye_python"),
        ('="xz:2"', '="lzma"', "versions.sh:5: bullseye_compression"),
        ('"bullseye trixie"', '"bullseye bullseye"', "versions.sh:1: suites: 'bullseye' stands"),
        ("v2_1_0=", "w2_1_0=", "versions.sh: there is no version"),
        ("v2_1_0=", "v2_x=", "versions.sh: there is no version"),
        ("suites=bullseye ", "suites=buster ", "versions.sh:12: v2_1_0: 'buster' is not a suite"),
        ("suites=bullseye ", "suites=bullseye,bullseye ", "'bullseye' stands in suites twice"),
        ("suites=bullseye ", "suites=trixie ", "cannot run on trixie"),
        ("suites=bullseye ", "", "v2_1_0: suites is missing"),
        ("suites=bullseye ", "suite=bullseye ", "'suite=bullseye' is no fact of a version"),
        ("suites=bullseye ", "bullseye ", "'bullseye' is no fact of a version"),
        ("pythons=3.8,3.9", "pythons=3.8,3", "'3' is not a Python line"),
        ("asof=2021-06-30", "asof=2021-06-31", "v2_1_0: asof: '2021-06-31' is not a date"),
        ("asof=2021-06-30", "asof=June", "v2_1_0: asof: 'June' is not a date"),
        ("asof=2021-06-30", "", "v2_1_0: asof: 'nothing' is not a date"),
        (
            "asof=2021-06-30",
            "asof=2021-06-30 security=soon",
            "v2_1_0: security: 'soon' is not a date",
        ),
        (
            "asof=2021-06-30",
            "asof=2021-06-30 security=2021-06-30",
            "v2_1_0: security: 2021-06-30 is not after asof",
        ),
        ("asof=2021-06-30", "asof=2021-06-30 revision=0", "v2_1_0: revision: '0' does not fit"),
        ("asof=2021-06-30", "asof=2021-06-30 asof=2021-07-01", "asof stands there twice"),
        ("addons_2", "addons_3", "addons_2 is missing"),
        (
            'suites="bullseye t',
            'colour="red"\nsuites="bullseye t',
            "versions.sh:1: colour: unknown",
        ),
        ('debian="11"', 'debian="11"\nbullseye_debian="12"', "was already set on line 2"),
    ],
)
def test_every_mistake_is_named_with_its_place(old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        parse(GOOD.replace(old, new, 1))
    assert said in str(caught.value)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_version_is_one_line() -> None:
    """A second one is there with that line alone."""
    text = GOOD + 'v2_2_5="suites=bullseye pythons=3.9 asof=2022-04-20 revision=2"\n'
    cell = parse(text).cell("2.2.5")
    assert (cell.deb_version, cell.version.asked[0]) == (
        "2.2.5-2~deb11u1",
        "apache-airflow[all]==2.2.5",
    )


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match="No such file"):
        versions.load(Path("/nonexistent/versions.sh"))


@given(st.text(alphabet="abv_=\"'$`\\ \n#0123456789.", max_size=60))
def test_no_text_makes_the_parser_fall_over(text: str) -> None:
    try:
        parse(GOOD + text)
    except ConfigError as error:
        assert str(error)


def test_a_subprocess_cannot_be_started_here() -> None:
    """The ring's own guard: unit tests run nothing."""
    with pytest.raises(AssertionError):
        subprocess.run(["true"], check=False)


def test_a_version_with_security_locks_is_two_cells() -> None:
    text = GOOD.replace("asof=2021-06-30", "asof=2021-06-30 security=2026-11-20")
    plain, secure = parse(text).cell("2.1.0"), parse(text).cell("2.1.0", security=True)
    assert (plain.name, plain.asof.isoformat()) == ("2.1.0-bullseye", "2021-06-30")
    assert (secure.name, secure.asof.isoformat()) == ("2.1.0-bullseye-security", "2026-11-20")
    assert secure.deb_version == f"{plain.deb_version}+sec20261120"
    with pytest.raises(UsageError, match="has no security locks; add security="):
        parse(GOOD).cell("2.1.0", security=True)

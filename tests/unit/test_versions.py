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
versions="2.1.0"
v2_1_0_suites="bullseye"
v2_1_0_pythons="3.8 3.9"
v2_1_0_extras="all"
v2_1_0_addons="ipykernel airflow-exporter==1.5.1"
v2_1_0_asof="2021-06-30"
v2_1_0_revision="1"
constraints_url=""
"""


def parse(text: str) -> versions.Matrix:
    return versions.parse(text, Path("versions.sh"))


def test_the_real_file_has_the_three_cells_it_started_with() -> None:
    names = [cell.name for cell in versions.load(PROJECT / "versions.sh").cells()]
    assert names[:2] == ["2.1.0-bullseye", "2.11.2-bookworm"]
    assert "3.3.2-trixie" in names


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
    text = GOOD.replace('"2.1.0"', '"2.1.0rc1"').replace("v2_1_0_", "v2_1_0rc1_")
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
    text = GOOD.replace('v2_1_0_pythons="3.8 3.9"', 'v2_1_0_pythons="3.9 3.13"')
    with pytest.raises(UsageError) as caught:
        parse(text).cell("2.1.0", "trixie")
    assert "add trixie to v2_1_0_suites" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('="11"', "=11", "versions.sh:2: not a plain assignment"),
        ('="11"', '="$(reboot)"', "versions.sh:2: not a plain assignment"),
        ('="11"', '="eleven"', "versions.sh:2: bullseye_debian: 'eleven'"),
        ('bullseye_python="3.9"', 'bullseye_python="3"', "versions.sh:3: bullseye_python"),
        ('="xz:2"', '="lzma"', "versions.sh:5: bullseye_compression"),
        ('"bullseye trixie"', '"bullseye bullseye"', "versions.sh:1: suites: 'bullseye' stands"),
        ('versions="2.1.0"', 'versions=""', "versions.sh:10: versions: it is empty"),
        ('versions="2.1.0"', 'versions="two"', "versions.sh:10: versions: 'two' is not a version"),
        ('versions="2.1.0"', 'versions="2.1.0 2.1.0"', "'2.1.0' stands there twice"),
        ('suites="bullseye"\n', 'suites="buster"\n', "v2_1_0_suites: 'buster' is not a suite"),
        ('suites="bullseye"\n', 'suites="bullseye bullseye"\n', "stands there twice"),
        ('suites="bullseye"\n', 'suites="trixie"\n', "cannot run on trixie"),
        ('="2021-06-30"', '="2021-06-31"', "v2_1_0_asof: '2021-06-31' is not a date"),
        ('="2021-06-30"', '="June"', "v2_1_0_asof: 'June' does not fit"),
        ("_revision", "_revison", "v2_1_0_revision is missing"),
        ('revision="1"', 'revision="0"', "v2_1_0_revision"),
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

"""requirements/VERSION/debian.txt and Build-Depends."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_deb import needs
from airflow_deb.errors import ConfigError

PATH = Path("requirements/2.1.0/debian.txt")
GOOD = """\
# what it is for
build libkrb5-dev  # pykerberos
depends python3-distutils [bullseye bookworm]  # the google provider
recommends default-jre-headless | java8-runtime-headless  # pyspark
suggests postgresql (>= 13)  # a database
"""


def test_lines_are_read_with_kind_package_and_reason() -> None:
    found = needs.parse(GOOD, PATH, "bullseye")
    assert needs.of_kind(found, "build") == ["libkrb5-dev"]
    assert needs.of_kind(found, "depends") == ["python3-distutils"]
    assert needs.of_kind(found, "recommends") == ["default-jre-headless | java8-runtime-headless"]
    assert needs.of_kind(found, "suggests") == ["postgresql (>= 13)"]
    assert found[0].reason == "pykerberos"


def test_a_line_for_other_suites_is_left_out() -> None:
    assert needs.of_kind(needs.parse(GOOD, PATH, "trixie"), "depends") == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("build libkrb5-dev", "has no reason"),
        ("build", "not a package line"),
        ("needs netbase  # why", "'needs' is not a kind"),
        ("depends Net_Base  # why", "not a package line"),
    ],
)
def test_a_wrong_line_is_named_with_its_number(line: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        needs.parse(f"# top\n{line}\n", PATH, "bullseye")
    assert said in str(caught.value)
    assert "2.1.0/debian.txt:2" in str(caught.value)


def test_build_depends_gives_bare_names() -> None:
    control = (
        "Source: airflow\nBuild-Depends: debhelper-compat (= 13),\n dh-virtualenv (>= 1.2),\n"
        " python3-dev:any\nBuild-Depends-Indep: dh-python\nRules-Requires-Root: no\n"
    )
    assert needs.build_depends(control) == [
        "debhelper-compat",
        "dh-virtualenv",
        "python3-dev",
        "dh-python",
    ]

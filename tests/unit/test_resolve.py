"""What a resolver is asked, and what is made of its answer."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import pytest

from airflow_deb import lock, official, pins, resolve, versions
from airflow_deb.choice import Target
from airflow_deb.errors import BuildError, ConfigError, NetworkError, UsageError
from airflow_deb.paths import Paths

PROJECT = Path(__file__).resolve().parents[2]
BEFORE = datetime.datetime(2021, 7, 1, tzinfo=datetime.UTC)
JOB = resolve.Job(
    requirements=("apache-airflow[all]==2.1.0", "ipykernel"),
    before=BEFORE,
    overrides=("a==1",),
    constraints=("b<2",),
    build=("setuptools==57.0.0",),
)
BARE = resolve.Job(requirements=("wheel==0.36.2",), before=BEFORE, wheels_only=True)
CELL = versions.load(PROJECT / "versions.sh").cell("2.1.0")


def test_the_resolver_reads_files() -> None:
    found = resolve.files(JOB, "https://me:s3%cret@index/simple")
    assert found["requirements.in"] == "apache-airflow[all]==2.1.0\nipykernel\n"
    assert found["overrides.txt"] == "a==1\n"
    assert found["constraints.txt"] == "b<2\n"
    assert found["build.txt"] == "setuptools==57.0.0\n"
    assert 'url = "https://me:s3%cret@index/simple"' in found["uv.toml"]
    assert "index-url = https://me:s3%%cret@index/simple\n" in found["pip.conf"]


def test_uv_is_told_everything_that_decides() -> None:
    words = resolve.command(JOB, "uv")
    for option, value in (
        ("--python", "/usr/bin/python3"),
        ("--exclude-newer", "2021-07-01T00:00:00Z"),
        ("--override", "/lock/overrides.txt"),
        ("--constraint", "/lock/constraints.txt"),
        ("--build-constraint", "/lock/build.txt"),
        ("--config-file", "/lock/uv.toml"),
    ):
        assert words[words.index(option) + 1] == value
    assert "--only-binary" not in words
    plain = resolve.command(BARE, "uv")
    assert not {"--override", "--constraint", "--build-constraint"} & set(plain)
    assert plain[plain.index("--only-binary") + 1] == ":all:"


def test_pip_tools_is_told_the_same() -> None:
    script = resolve.command(JOB, "pip-tools")[-1]
    assert "--uploaded-prior-to=2021-07-01T00:00:00Z" in script
    assert "--constraint /lock/constraints.txt" in script
    assert "PIP_BUILD_CONSTRAINT=/lock/build.txt" in script
    assert "--require-hashes" in script
    assert "--only-binary=:all:" in resolve.command(BARE, "pip-tools")[-1]


def test_a_date_lasts_until_its_end_in_utc() -> None:
    assert lock.end_of(datetime.date(2021, 6, 30)) == BEFORE


def test_pins_are_read() -> None:
    text = "# via\nFoo_Bar==1.0\nbaz==2.0.post1  # via foo\n\n"
    assert resolve.pins(text) == {"foo-bar": "1.0", "baz": "2.0.post1"}


@pytest.mark.parametrize("line", ["foo @ https://u:p@x/foo.whl", "-e .", "foo>=1"])
def test_a_line_that_is_no_pin_is_an_error(line: str) -> None:
    with pytest.raises(BuildError, match="no pin") as caught:
        resolve.pins(line)
    assert "u:p" not in str(caught.value)


FAILED = BuildError("sh failed", hint="the log is in X")


def test_a_failed_resolution_shows_its_last_lines_and_the_log() -> None:
    said = ["  × No solution found when resolving dependencies:", "  ╰─▶ Because a<1 and a>2"]
    error = resolve.explained(FAILED, "uv", said)
    assert isinstance(error, BuildError)
    assert "no set of versions" in error.message
    assert error.hint.endswith("the log is in X")
    assert "requirements/" in error.hint
    assert error.detail == "\n".join(said)


@pytest.mark.parametrize(
    "said",
    [
        "error: Failed to fetch: `https://me:pw@index/simple/a/`\n  error sending request",
        "  Caused by: dns error: failed to lookup address information",
        "  Caused by: HTTP status server error (503 Service Unavailable)",
        "urllib3.exceptions.MaxRetryError: Max retries exceeded",
        "after connection broken by 'SSLError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'\nERROR: "
        "No matching distribution found for a",
    ],
)
def test_an_unreachable_index_is_not_the_requirements_fault(said: str) -> None:
    error = resolve.explained(FAILED, "uv", said.splitlines())
    assert isinstance(error, NetworkError)
    assert "PIP_INDEX_URL" in error.hint
    assert "me:pw" not in error.detail


def test_pips_tracebacks_are_left_out() -> None:
    said = """\
ERROR: Could not find a version that satisfies the requirement a==9
Traceback (most recent call last):
  File "/opt/x.py", line 8, in <module>
    sys.exit(cli())
  File "/opt/y.py", line 1, in cli
    raise error
DistributionNotFound: No matching distribution found for a==9"""
    error = resolve.explained(FAILED, "pip-tools", said.splitlines())
    assert "no set of versions" in error.message
    assert [line.split()[0] for line in error.detail.splitlines()] == [
        "ERROR:",
        "DistributionNotFound:",
    ]


def test_any_other_failure_is_passed_on() -> None:
    error = resolve.explained(FAILED, "uv", ["setup.py: boom"])
    assert type(error) is BuildError
    assert error.detail == "setup.py: boom"


def test_the_target_is_read_from_the_root() -> None:
    root = {"python3.9": "3.9.2-1+deb11u3", "libc6": "2.31-13+deb11u13"}
    assert lock.target_of(root, "3.9") == Target("3.9.2", "2.31")
    with pytest.raises(ConfigError, match=r"no python3\.10"):
        lock.target_of(root, "3.10")


def test_pip_tools_with_overrides_says_which_it_cannot_honour(tmp_path: Path) -> None:
    directory = tmp_path / "requirements" / "2.1.0"
    directory.mkdir(parents=True)
    (directory / "overrides.txt").write_text("mysql==8  # 7 is gone\n")
    matrix = versions.load(PROJECT / "versions.sh")
    with pytest.raises(UsageError) as caught:
        lock.make(Paths(tmp_path, tmp_path / "cache"), matrix, CELL, resolver="pip-tools")
    assert "mysql==8 (requirements/2.1.0/overrides.txt:1: 7 is gone)" in str(caught.value)
    assert "leave out RESOLVER" in caught.value.hint
    assert not (tmp_path / "cache").exists()


def test_an_override_without_a_reason_stops_before_anything_runs(tmp_path: Path) -> None:
    directory = tmp_path / "requirements" / "2.1.0"
    directory.mkdir(parents=True)
    (directory / "overrides.txt").write_text("mysql==8\n")
    matrix = versions.load(PROJECT / "versions.sh")
    with pytest.raises(ConfigError, match=r"overrides\.txt:1: mysql has no reason"):
        lock.make(Paths(tmp_path, tmp_path / "cache"), matrix, CELL)
    assert not (tmp_path / "cache").exists()


def test_official_constraints_can_be_left_out_or_be_a_file(tmp_path: Path) -> None:
    assert official.get("", "none", CELL).recorded == "none"
    assert official.get("", "", CELL).text == ""
    file = tmp_path / "constraints-3.9.txt"
    file.write_text("a==1\n")
    found = official.get("", str(file), CELL)
    assert found.text == "a==1\n"
    digest = hashlib.sha256(b"a==1\n").hexdigest()
    assert found.recorded == f"constraints-3.9.txt, sha256 {digest}"
    with pytest.raises(UsageError, match="cannot be read"):
        official.get("", str(tmp_path / "nothing"), CELL)


def test_what_is_asked_for_comes_from_versions_sh() -> None:
    names = [pin.name for pin in pins.asked(CELL.version.asked, "versions.sh")]
    assert names[0] == "apache-airflow"
    assert "airflow-exporter" in names

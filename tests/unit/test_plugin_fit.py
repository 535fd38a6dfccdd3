"""Whether a plugin agrees with a lock and with the files that are there: pure."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from airflow_deb import lockfile
from airflow_deb.errors import ConflictError
from airflow_deb.lockfile import Lock
from airflow_deb.plugin import fit
from airflow_deb.plugin.fit import Brought
from airflow_deb.plugin.metadata import Plugin

PYTHON = "3.9.2"
SITE = "lib/python3.9/site-packages"
PREFIX = "/usr/lib/airflow"
DRIVER = Brought("0.2.1", "airflow-plugin-driver", "0.2.1-1+airflow2.1.0~deb11u1")


def lock(version: str = "2.1.0", **pins: str) -> Lock:
    pins = {"apache-airflow": version, "requests": "2.25.1", **pins}
    text = "".join(
        f"{name}=={pin} \\\n    --hash=sha256:{'0' * 64}\n    # {name}-{pin}.tar.gz 1\n"
        for name, pin in pins.items()
    )
    return lockfile.parse(text, Path(f"/requirements/{version}/bullseye.lock"))


def plugin(
    *requires: str, name: str = "ops", python: str = "", files: tuple[str, ...] = ()
) -> Plugin:
    return Plugin(
        name=name,
        version="1.0",
        summary="",
        homepage="",
        author="",
        licence="",
        requires=tuple(Requirement(text) for text in requires),
        requires_python=python,
        entry_points=(),
        files=frozenset(files),
        left_out=(),
        pure=True,
    )


@pytest.mark.parametrize(
    "requires",
    [
        (),
        ("apache-airflow>=2.0,<3", "Requests >= 2.20"),
        ("apache-airflow (>=1.10)",),
        ("dataclasses; python_version < '3.7'", "pywin32; sys_platform == 'win32'"),
        ("pytest; extra == 'tests'",),
    ],
)
def test_what_the_lock_fulfils(requires: tuple[str, ...]) -> None:
    """By canonical name; what is not for this Python, platform or install is not needed."""
    assert fit.check(plugin(*requires), lock(), PYTHON, {}) == ()


@pytest.mark.parametrize(
    ("requires", "said"),
    [
        ("requests>=2.26", "it requires requests>=2.26, the lock has requests 2.25.1"),
        ("apache-airflow~=2.0.1", "it requires apache-airflow~=2.0.1, the lock has apache-airflow"),
        (
            "great-things",
            "neither the lock nor a plugin built before has (make plugin SOURCE=great",
        ),
        ("requests @ https://example.invalid/r.whl", "requests from an address"),
        ("tomli; python_version < '3.11'", "it requires tomli"),
    ],
)
def test_what_disagrees_is_named(requires: str, said: str) -> None:
    with pytest.raises(ConflictError, match=r"does not fit Airflow 2\.1\.0 on bullseye") as caught:
        fit.check(plugin(requires), lock(), PYTHON, {})
    assert said in str(caught.value)
    assert "VERSION=" in caught.value.hint


def test_all_of_it_is_said_at_once() -> None:
    with pytest.raises(ConflictError) as caught:
        fit.check(plugin("requests<2", "one", python=">=3.10"), lock(), PYTHON, {})
    said = str(caught.value)
    assert "requests<2" in said
    assert "requires one" in said
    assert "it is for Python >=3.10, not 3.9.2" in said


def test_a_distribution_of_the_lock_is_no_plugin() -> None:
    with pytest.raises(ConflictError, match=r"the lock has requests 2\.25\.1 itself"):
        fit.check(plugin(name="requests"), lock(), PYTHON, {})


def test_a_malformed_python_requirement_forbids_nothing() -> None:
    """As pip has it."""
    assert fit.check(plugin(python=">=3.6.*"), lock(), PYTHON, {}) == ()


def test_another_plugin_may_bring_what_the_lock_lacks() -> None:
    """In the version that was built: it becomes a dependency of the package."""
    assert fit.check(plugin("Driver>=0.2"), lock(), PYTHON, {"driver": DRIVER}) == (DRIVER,)
    with pytest.raises(ConflictError, match=r"driver>=0.3, airflow-plugin-driver has 0\.2\.1"):
        fit.check(plugin("driver>=0.3"), lock(), PYTHON, {"driver": DRIVER})


def test_it_is_for_its_line_or_until_a_lock_disagrees() -> None:
    later = [lock("2.1.2"), lock("2.1.4", requests="2.26.0")]
    assert fit.upto(plugin("requests>=2"), later, PYTHON, "2.2") == "2.2"
    assert fit.upto(plugin("requests<2.26"), later, PYTHON, "2.2") == "2.1.4"
    # Another plugin will have to bring that, whatever the patch level.
    assert fit.upto(plugin("driver"), later, PYTHON, "2.2") == "2.2"


@pytest.mark.parametrize(
    ("own", "theirs", "wrong"),
    [
        ("ops/a.py", "ops/b.py", ""),
        ("airflow/x.py", "airflow/__init__.py", ""),
        ("ops/a.py", "ops/a.py", "ops/a.py"),
        ("flask.py", "flask/__init__.py", ""),
        ("ops/a.py", "ops", "ops"),
        ("ops", "ops/a.py", "ops"),
    ],
)
def test_files_of_others_are_not_overwritten(own: str, theirs: str, wrong: str) -> None:
    """Nor is a file put where they have a directory, or the other way round."""
    mine = plugin(files=(f"{SITE}/{own}",))
    others = {"airflow": [f"{PREFIX}/{SITE}/{theirs}"]}
    if wrong:
        with pytest.raises(ConflictError, match="would overwrite") as caught:
            fit.check_files(mine, others, PREFIX)
        assert f"{PREFIX}/{SITE}/{wrong} is in airflow" in str(caught.value)
    else:
        fit.check_files(mine, others, PREFIX)

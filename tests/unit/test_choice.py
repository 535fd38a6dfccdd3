"""Which file of a release is locked, as pip and uv choose it."""

from __future__ import annotations

import datetime

import pytest

from airflow_deb.candidates import pick
from airflow_deb.choice import Target, best, fits, releases
from airflow_deb.errors import ConfigError, GoneError
from airflow_deb.index import File

EARLY = datetime.datetime(2021, 6, 30, 23, 59, 59, tzinfo=datetime.UTC)
BEFORE = datetime.datetime(2021, 7, 1, tzinfo=datetime.UTC)
BULLSEYE = Target("3.9.2", "2.31")
SDIST = "x-1.0.tar.gz"


def _file(name: str, uploaded: datetime.datetime | None = EARLY, requires: str = "") -> File:
    return File(
        filename=name,
        url=f"https://index/{name}",
        sha256="a" * 64,
        size=1,
        uploaded=uploaded,
        requires_python=requires,
    )


def _best(*names: str, target: Target = BULLSEYE) -> str | None:
    """The choice, which must not depend on the order of the index."""
    found = {
        best(files, "x", "1.0", target, BEFORE)
        for files in ([_file(name) for name in names], [_file(name) for name in reversed(names)])
    }
    assert len(found) == 1
    chosen = found.pop()
    return chosen.filename if chosen else None


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        (SDIST, "x-1.0-py3-none-any.whl"),
        (SDIST, "x-1.0-py2.py3-none-any.whl"),
        ("x-1.0.zip", SDIST),
        ("x-1.0.tar.bz2", "x-1.0.zip"),
        ("x-1.0-py3-none-any.whl", "x-1.0-cp39-cp39-manylinux1_x86_64.whl"),
        ("x-1.0-py3-none-any.whl", "x-1.0-cp36-abi3-manylinux2014_x86_64.whl"),
        (
            "x-1.0-cp36-abi3-manylinux2014_x86_64.whl",
            "x-1.0-cp39-cp39-manylinux2010_x86_64.whl",
        ),
        ("x-1.0-cp39-cp39-manylinux1_x86_64.whl", "x-1.0-cp39-cp39-manylinux2014_x86_64.whl"),
        (
            "x-1.0-cp39-cp39-manylinux2014_x86_64.whl",
            "x-1.0-cp39-cp39-manylinux_2_31_x86_64.whl",
        ),
        ("x-1.0-1-py3-none-any.whl", "x-1.0-2-py3-none-any.whl"),
        ("x-1.0-py3-none-any.whl", "x-1.0-1-py3-none-any.whl"),
    ],
)
def test_the_better_file_wins(worse: str, better: str) -> None:
    assert _best(worse) == worse
    assert _best(worse, better) == better


@pytest.mark.parametrize(
    "name",
    [
        "x-1.0-cp38-cp38-manylinux1_x86_64.whl",
        "x-1.0-cp310-cp310-manylinux1_x86_64.whl",
        "x-1.0-cp39-cp39-manylinux_2_32_x86_64.whl",
        "x-1.0-cp39-cp39-musllinux_1_1_x86_64.whl",
        "x-1.0-cp39-cp39-macosx_11_0_x86_64.whl",
        "x-1.0-cp39-cp39-manylinux1_i686.whl",
        "x-1.0-py2-none-any.whl",
        "x-1.0-py3.9.egg",
        "x-1.0.win32.exe",
        "x-1.0.tar.gz.asc",
        "x-1.1-py3-none-any.whl",
        "y-1.0-py3-none-any.whl",
        "x-y-1.0.tar.gz",
        "x-1.0-py3-none.whl",
    ],
)
def test_what_does_not_fit_is_never_chosen(name: str) -> None:
    assert _best(name) is None
    assert _best(name, SDIST) == SDIST


def test_each_suite_takes_its_own() -> None:
    names = [f"x-1.0-cp{p}-cp{p}-manylinux_2_{g}_x86_64.whl" for p, g in ((39, 31), (313, 41))]
    assert _best(*names, target=Target("3.13.5", "2.41")) == names[1]
    assert _best(*names, target=Target("3.11.2", "2.36")) is None


def test_an_arm_has_no_platform_older_than_its_own() -> None:
    name = "x-1.0-cp39-cp39-manylinux2014_aarch64.whl"
    assert _best(name, target=Target("3.9.2", "2.31", "aarch64")) == name
    old = "x-1.0-cp39-cp39-manylinux1_aarch64.whl"
    assert _best(old, target=Target("3.9.2", "2.31", "aarch64")) is None


def test_the_day_counts_to_its_end_and_no_longer() -> None:
    late = _file("x-1.0-py3-none-any.whl", BEFORE)
    assert best([late], "x", "1.0", BULLSEYE, BEFORE) is None
    assert best([late, _file(SDIST)], "x", "1.0", BULLSEYE, BEFORE) == _file(SDIST)


@pytest.mark.parametrize(
    ("requires", "chosen"),
    [(">=3.6", True), (">=3.9.2", True), (">=3.9.3", False), ("<3.9", False), (">=3.6.*", True)],
)
def test_requires_python_is_honoured(requires: str, chosen: bool) -> None:
    found = best([_file(SDIST, requires=requires)], "x", "1.0", BULLSEYE, BEFORE)
    assert (found is not None) is chosen


@pytest.mark.parametrize(
    ("filename", "name", "version"),
    [
        ("zope.interface-5.4.0.tar.gz", "zope-interface", "5.4.0"),
        ("Flask_OpenID-1.2.5.tar.gz", "flask-openid", "1.2.5"),
        ("python-ldap-3.3.1.tar.gz", "python-ldap", "3.3.1"),
        ("typing_extensions-4.0-py3-none-any.whl", "typing-extensions", "4.0.0"),
        ("a-1-2.zip", "a", "1.post2"),
        ("sasl-0.3.1.tgz", "sasl", "0.3.1"),
    ],
)
def test_names_are_compared_as_the_index_normalises_them(
    filename: str, name: str, version: str
) -> None:
    assert fits(filename, name, version)
    assert not fits(filename, name, "99")
    assert not fits(filename, name + "x", version)


def test_a_file_of_another_project_has_no_release() -> None:
    assert releases("other-1.0.tar.gz", "x") == ()
    assert releases("x-1.0.txt", "x") == ()


def test_an_index_without_upload_times_cannot_be_locked_from() -> None:
    with pytest.raises(ConfigError, match="PEP 700"):
        pick((_file(SDIST, None),), "x", "1.0", BULLSEYE, BEFORE, "https://index/")


def test_a_pin_without_a_file_is_named() -> None:
    with pytest.raises(GoneError, match=r"x 1\.0 has no file for Python 3\.9\.2") as caught:
        pick((), "x", "1.0", BULLSEYE, BEFORE, "https://index/")
    assert "override" in caught.value.hint


def test_a_file_without_a_hash_cannot_be_locked() -> None:
    file = File(filename=SDIST, url="", uploaded=EARLY)
    with pytest.raises(ConfigError, match=r"sha256 and the size of x-1\.0\.tar\.gz"):
        pick((file,), "x", "1.0", BULLSEYE, BEFORE, "https://index/")

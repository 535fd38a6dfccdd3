"""What a plugin is held against before it is built: every lock that its dependency admits."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from tests.unit import checkout

from airflow_deb import lockfile, make, paths, roots, settings, versions
from airflow_deb.binary import AIRFLOW
from airflow_deb.choice import Target
from airflow_deb.errors import ConflictError
from airflow_deb.lockfile import Locked
from airflow_deb.paths import Paths
from airflow_deb.plugin import neighbours, planning
from airflow_deb.plugin.neighbours import Package
from airflow_deb.wheels import Wheel

TARGET = Target("3.9.2", "2.31")
SITE = "/usr/lib/airflow/lib/python3.9/site-packages"


def other(version: str, first: str, upto: str, name: str = "ops/__init__.py") -> Package:
    """Another plugin for ``first`` and what is before ``upto``."""
    libc = "libc6 (>= 2.2.5), "  # Where dpkg-gencontrol puts what a native one needs.
    depends = f"{libc}airflow (>= {first}~), airflow (<< {upto}~), airflow-python3.9"
    files = frozenset({f"{SITE}/{name}"})
    return Package("airflow-plugin-x", f"{version}-1+airflow{first}~deb11u1", files, depends)


@pytest.fixture
def places(tmp_path: Path) -> Paths:
    """A checkout in which 2.1.0 is locked, with requests 2.25.1."""
    places = checkout.checkout(tmp_path)
    lock(places, "2.1.0/bullseye")
    return places


def lock(places: Paths, name: str, requests: str = "2.25.1") -> None:
    pins = {"apache-airflow": name.partition("/")[0], "requests": requests}
    text = "".join(
        f"{key}=={pin} \\\n    --hash=sha256:{'0' * 64}\n    # {key}-{pin}.tar.gz 1\n"
        for key, pin in pins.items()
    )
    paths.write_text(places.requirements / f"{name}.lock", text)


def check(
    tmp_path: Path, places: Paths, *requires: str, version: str = "2.1.0", security: bool = False
) -> str:
    """What the plugin ``ops`` with ``requires`` would depend on, built for ``version``."""
    path = tmp_path / "ops-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ops/__init__.py", "")
        lines = "".join(f"Requires-Dist: {one}\n" for one in requires)
        text = f"Metadata-Version: 2.1\nName: ops\nVersion: 1.0\n{lines}"
        archive.writestr("ops-1.0.dist-info/METADATA", text)
    matrix = versions.load(places.versions_sh)
    wanted = settings.Settings(version=version, suite="bullseye", security=security)
    recipe = make.recipe(places, matrix, wanted)
    root = roots.root(recipe.cell.suite, "buildd", [])
    tools = lockfile.load(places.requirements / "2.1.0" / "bullseye-build.lock")
    this = planning.Context(places, matrix, recipe, AIRFLOW, root, tools, tmp_path / "uv", wanted)
    wheel = Wheel(Locked("ops", "1.0", "0" * 64, path.name, 1), path, "0" * 64)
    installed = Package("airflow", recipe.cell.deb_version, frozenset())
    return planning.check(this, wheel, TARGET, installed).depends


def test_the_other_lock_of_its_version_has_to_agree_as_well(tmp_path: Path, places: Paths) -> None:
    """apt may bring either package: the dependency names no more than the version."""
    assert check(tmp_path, places, "requests<2.26").startswith("airflow (>= 2.1.0~)")
    lock(places, "2.1.0/bullseye-security", "2.26.0")
    assert check(tmp_path, places, "requests>2").startswith("airflow (>= 2.1.0~)")
    said = r"with its security lock, requirements/2\.1\.0/bullseye-security\.lock: it requires "
    with pytest.raises(ConflictError, match=said + r"requests<2\.26, the lock has requests 2\.26"):
        check(tmp_path, places, "requests<2.26")
    with pytest.raises(ConflictError, match=r"fit Airflow 2\.1\.0 on bullseye: .* 2\.25\.1"):
        check(tmp_path, places, "requests>=2.26", security=True)


@pytest.mark.parametrize(
    ("version", "there", "met"),
    [
        ("2.1.4", other("1.0", "2.1.0", "2.2"), True),
        ("2.1.0", other("1.0", "2.1.4", "2.2"), True),
        ("2.1.0", other("1.0", "2.1.0~rc1", "2.1.4"), True),
        ("2.1.4", other("1.0", "2.1.0", "2.1.4"), False),
        ("2.1.0", other("1.0", "2.2", "2.3"), False),
    ],
)
def test_a_neighbour_for_another_version_of_the_line(
    tmp_path: Path,
    places: Paths,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    there: Package,
    met: bool,
) -> None:
    """It is met on every Airflow that both admit."""
    lock(places, "2.1.4/bullseye")
    paths.write_text(places.requirements / "2.1.4" / "bullseye-build.lock", checkout.LOCK)
    monkeypatch.setattr(neighbours, "plugins", lambda *_: [there])
    if met:
        said = f"ops/__init__.py is in airflow-plugin-x for Airflow {there.airflow}"
        with pytest.raises(ConflictError, match=re.escape(said)):
            check(tmp_path, places, version=version)
    else:
        assert check(tmp_path, places, version=version)


def test_a_plugin_for_a_line_before_its_pre_release_is_not_met() -> None:
    assert not other("1.0", "2.1.0", "2.2").meets("2.2~rc1", "2.3")
    assert other("1.0", "2.2~rc1", "2.3").meets("2.2", "2.3")
    assert not other("1.0", "2.1.4", "2.2").meets("2.1.0", "2.1.4")


def test_of_two_releases_of_a_neighbour_the_last_counts(
    tmp_path: Path, places: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [other("1.0", "2.1.0", "2.2"), other("1.1", "2.1.0", "2.2", "x/__init__.py")]
    monkeypatch.setattr(neighbours, "plugins", lambda *_: both)
    assert check(tmp_path, places)


def test_it_refuses_the_later_version_whose_security_lock_disagrees(
    tmp_path: Path, places: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    lock(places, "2.1.4/bullseye")
    assert "airflow (<< 2.2~)" in check(tmp_path, places, "requests<2.26")
    lock(places, "2.1.4/bullseye-security", "2.26.0")
    capsys.readouterr()
    assert "airflow (<< 2.1.4~)" in check(tmp_path, places, "requests<2.26")
    assert "requirements/2.1.4/bullseye-security.lock" in capsys.readouterr().out
    assert "airflow (<< 2.2~)" in check(tmp_path, places, "requests<2.27")

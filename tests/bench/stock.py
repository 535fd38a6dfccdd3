"""What we compare builds with: dh-virtualenv, pip and debhelper, as they come.

The same lock, the same build root, wheels ready in a local wheelhouse, and no network.
debhelper's helpers are at their defaults where these come to an end on such a package:

    dh_dwz          aborts on modules that were compiled elsewhere: left out
    dh_makeshlibs   makes the package depend on itself: left out
    dh_shlibdeps    does not find private libraries: told where they are, and to leave
                    out mysql's, which it cannot resolve

The package installs the same files, and works; it is not pruned, as nobody would do so
by themselves. lintian is run on it for its time alone: it finds plenty.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from airflow_deb import container, log, wheels
from airflow_deb.container import Bind, Spec
from airflow_deb.paths import Paths
from airflow_deb.stage import Recipe
from airflow_deb.wheels import Wheel

_CONTROL = """\
Source: airflow
Section: admin
Priority: optional
Maintainer: Nobody <nobody@example.org>
Build-Depends: debhelper-compat (= 13), dh-virtualenv, python3-dev
Standards-Version: 4.5.1
Rules-Requires-Root: no

Package: airflow
Architecture: any
Depends: ${misc:Depends}, ${shlibs:Depends}, python3
Description: Airflow, packaged with stock tools
 For comparison only.
"""
_RULES = """\
#!/usr/bin/make -f
export DH_VIRTUALENV_INSTALL_ROOT := /usr/lib
TREE = debian/airflow/usr/lib/airflow
PRIVATE = '(' -name '*.libs' -o -name pyarrow ')'
%:
	dh $@ --with python-virtualenv
override_dh_virtualenv:
	dh_virtualenv --builtin-venv --python /usr/bin/python3 --install-suffix airflow \\
		--skip-install --requirements requirements.txt --extra-pip-arg=--no-deps \\
		--extra-pip-arg=--no-index --extra-pip-arg=--find-links=/airflow-deb/wheelhouse
override_dh_dwz:
override_dh_makeshlibs:
override_dh_shlibdeps:
	dh_shlibdeps -Xmysql/vendor -Xteradatasql \\
		-l$$(find $(CURDIR)/$(TREE) -type d $(PRIVATE) -printf '%p:') \\
		-- --ignore-missing-info
"""
_CHANGELOG = """\
airflow ({version}) {suite}; urgency=medium

  * For comparison.

 -- Nobody <nobody@example.org>  Wed, 30 Jun 2021 00:00:00 +0000
"""

# As debuild does after dpkg-buildpackage; in a directory that has room for what is unpacked.
_LINTIAN = """
install --directory --owner=nobody ../lintian
export HOME=/tmp TMPDIR="$(realpath ../lintian)"
setpriv --reuid=nobody --regid=nogroup --clear-groups lintian ../*.changes > ../tags || [ $? -eq 2 ]
"""


@dataclass(frozen=True)
class Stock:
    """The seconds that building the package and running lintian on it took."""

    seconds: float
    lintian: float


def build(paths: Paths, recipe: Recipe, root: Path, house: Iterable[Wheel], here: Path) -> Stock:
    """Build the package with stock tools below ``here``.

    Raises BuildError when it does not build.
    """
    container.remove(here)
    spec = Spec(
        name="airflow-deb-bench-stock",
        layers=(root,),
        scratch=here / "deb",
        binds=(
            Bind(here / "deb/build", "/build", read_only=False),
            Bind(here / "wheelhouse", "/airflow-deb/wheelhouse"),
        ),
        env={"DEBIAN_FRONTEND": "noninteractive", "SOURCE_DATE_EPOCH": str(recipe.epoch)},
        workdir="/build/airflow",
    )
    container.prepare(spec)
    house = list(house)
    wheels.gather(here / "wheelhouse", ((wheel.path, wheel.path.name) for wheel in house))
    top = here / "deb/build/airflow"
    (top / "debian/source").mkdir(parents=True)
    pins = (f"{wheel.locked.name}=={wheel.locked.version}\n" for wheel in house)
    files = {
        "requirements.txt": "".join(sorted(pins)),
        "debian/control": _CONTROL,
        "debian/rules": _RULES,
        "debian/changelog": _CHANGELOG.format(
            version=recipe.cell.version.name, suite=recipe.cell.suite.name
        ),
        "debian/source/format": "3.0 (native)\n",
    }
    for name, text in files.items():
        (top / name).write_text(text, encoding="utf-8")
    (top / "debian/rules").chmod(0o755)
    began = time.monotonic()
    container.again(
        spec,
        ["sh", "-euc", "chown -R root: .; dpkg-buildpackage -us -uc -b"],
        on_line=lambda line: None,
    )
    seconds = time.monotonic() - began
    (deb,) = (here / "deb/build").glob("airflow_*.deb")
    log.info(f"  stock package: {log.duration(seconds)}, {log.size(deb.stat().st_size)}")
    began = time.monotonic()
    container.again(spec, ["sh", "-euc", _LINTIAN])
    linted = time.monotonic() - began
    log.info(f"  its lintian: {log.duration(linted)}")
    shutil.rmtree(here / "wheelhouse")
    return Stock(seconds, linted)

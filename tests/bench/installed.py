"""The package once it is there: how long apt takes to install it, and airflow to start.

In containers over a clean Debian with the package's dependencies, on the cache's disk.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from airflow_deb import container, roots, wheels
from airflow_deb.container import Bind, Spec
from airflow_deb.paths import Paths
from airflow_deb.versions import Cell
from airflow_deb.wheels import Wheel

_APT = "apt-get --quiet --yes --no-install-recommends -o APT::Sandbox::User=root"
# What comes after is timed without what apt would have had to download. With a network a
# container sees the certificates of the host, which ca-certificates cannot write to.
_FETCH = f"""
apt-get --quiet update
{_APT} --download-only install python3-venv xz-utils
{_APT} --download-only satisfy "$(dpkg-deb --field "$1" Depends)"
"""
_DEPENDENCIES = f"""
{_APT} install --no-download python3-venv xz-utils
{_APT} satisfy --no-download "$(dpkg-deb --field "$1" Depends)"
apt-get clean
"""
# Both until the files are on the disk, which is what dpkg waits for.
_INSTALL = f'{_APT} install "$1"; sync --file-system /usr'
_UNPACK = """
mkdir /usr/lib/unpacked
dpkg-deb --fsys-tarfile "$1" | tar --extract --directory /usr/lib/unpacked
sync --file-system /usr
"""
_PLAIN = """
python3 -m venv /opt/plain
/opt/plain/bin/pip --disable-pip-version-check install --quiet --no-compile --no-deps \\
    --no-index --find-links /wheelhouse --requirement /wheelhouse/lock
cp -a /opt/plain /opt/compiled
sed -i 's,/opt/plain,/opt/compiled,' /opt/compiled/bin/airflow
/opt/compiled/bin/python -m compileall -q -j 0 /opt/compiled/lib || true
useradd --create-home tester
XZ_OPT='-6 --threads=0' tar --create --xz --file /opt/compiled.tar.xz --directory /opt compiled
stat --format=%s /opt/compiled.tar.xz
rm /opt/compiled.tar.xz
"""
_START = """
export HOME=/home/tester AIRFLOW_HOME=/home/tester/airflow
cd
airflow {migrate} >&2
exec python3 /start.py package=/usr/bin plain=/opt/plain/bin compiled=/opt/compiled/bin
"""


@dataclass(frozen=True)
class Ground:
    """A Debian with all that the package ``deb`` depends on."""

    layers: tuple[Path, ...]
    deb: Path
    here: Path

    def spec(self, name: str, *binds: Bind, under: tuple[Path, ...] = ()) -> Spec:
        """A container on it."""
        return Spec(
            name=f"airflow-deb-bench-{name}",
            layers=(*under, *self.layers),
            scratch=self.here / name,
            binds=(Bind(self.deb, f"/srv/{self.deb.name}"), *binds),
            env={"DEBIAN_FRONTEND": "noninteractive"},
        )

    def timed(self, name: str, script: str) -> float:
        """The seconds of ``script`` in a fresh container, its start and end included."""
        spec = self.spec(name)
        container.prepare(spec)
        began = time.monotonic()
        container.again(spec, ["sh", "-euc", script, "sh", f"/srv/{self.deb.name}"])
        seconds = time.monotonic() - began
        container.remove(spec.scratch)
        return seconds


def ground(paths: Paths, cell: Cell, deb: Path, here: Path) -> Ground:
    """Make the Debian that the package is installed on."""
    base = roots.ensure(paths, roots.root(cell.suite, "minbase", ("dbus", "systemd")))
    bare = Ground((base,), deb, here)
    spec = bare.spec("dependencies")
    online = Spec(**{**vars(spec), "network": True})
    container.execute(online, ["sh", "-euc", _FETCH, "sh", f"/srv/{deb.name}"])
    container.again(spec, ["sh", "-euc", _DEPENDENCIES, "sh", f"/srv/{deb.name}"])
    return Ground((spec.upper, base), deb, here)


def install(ground: Ground, rounds: int) -> tuple[list[float], list[float]]:
    """The seconds of apt and of tar, in turn."""
    apt, tar = [], []
    for _ in range(rounds):
        apt.append(ground.timed("apt", _INSTALL))
        tar.append(ground.timed("tar", _UNPACK))
    return apt, tar


@dataclass(frozen=True)
class Plain:
    """What was measured beside plain environments.

    ``seconds`` are those of airflow's commands, by command and by what it is started
    from; ``packed`` the bytes of the compiled environment, packed with xz -6.
    """

    seconds: dict[str, dict[str, list[float]]]
    packed: int


def plain(ground: Ground, house: list[Wheel], migrate: str) -> Plain:
    """Measure what takes plain environments of the same lock, which pip makes."""
    place = ground.here / "wheelhouse"
    container.remove(place)
    wheels.gather(place, ((wheel.path, wheel.path.name) for wheel in house))
    pins = "".join(f"{wheel.locked.name}=={wheel.locked.version}\n" for wheel in house)
    (place / "lock").write_text(pins, encoding="utf-8")
    script = Path(__file__).with_name("start.py")
    spec = ground.spec("start", Bind(place, "/wheelhouse"), Bind(script, "/start.py"))
    container.execute(spec, ["sh", "-euc", _INSTALL, "sh", f"/srv/{ground.deb.name}"])
    packed = container.again(spec, ["sh", "-euc", _PLAIN]).stdout.splitlines()[-1]
    user = ["setpriv", "--reuid=tester", "--regid=tester", "--clear-groups"]
    done = container.again(spec, [*user, "sh", "-euc", _START.format(migrate=migrate)])
    container.remove(spec.scratch)
    return Plain(json.loads(done.stdout.splitlines()[-1]), int(packed))

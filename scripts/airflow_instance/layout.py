"""Every path the tool knows, in one place.

AIRFLOW_INSTANCE_ROOT puts the whole host under another directory, so that
everything can be tried without privileges. Paths that are written *into* files
are those an instance will see; `Layout.real` says where they are now.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT_VARIABLE = "AIRFLOW_INSTANCE_ROOT"

# What Airflow writes for an instance goes by these names in its home.
CONFIG_FILE = "airflow.cfg"
WEB_CONFIG_FILE = "webserver_config.py"
CONNECTIONS_FILE = "connections.yaml"
PROFILE_FILE = "bin/profile"

# The launcher that every /usr/local/bin/airflow-NAME points to. Not /usr/bin:
# that directory is dpkg's, and a later package could bring the same name.
LAUNCHER = "/usr/share/airflow-instances/launcher"
LAUNCHER_DIR = "/usr/local/bin"
# What deletes old logs; it needs no instance.
CLEAN_LOGS = "/usr/bin/clean_logs"
# Where packages with an Airflow inside have their trees, each below its own name.
PACKAGES = "/usr/lib"
DEFAULT_INSTALLATION = f"{PACKAGES}/airflow"
# Where packages have their units. With /usr merged, /lib is the same directory.
UNIT_DIR = "/lib/systemd/system"
# The unit that stands for all instances.
ALL_INSTANCES = "airflow.service"


class Layout(NamedTuple):
    """The paths of one host, below ``root``.

    No dataclass: a check, which runs every minute, would pay more for importing
    dataclasses than for reading its file.
    """

    root: Path = Path("/")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Layout:
        """The layout that the environment asks for; the host itself by default."""
        variables = os.environ if environment is None else environment
        return cls(Path(os.path.abspath(variables.get(ROOT_VARIABLE) or "/")))

    @property
    def alternate(self) -> bool:
        """Whether this is a directory that only looks like a host."""
        return self.root != Path("/")

    def real(self, path: str) -> Path:
        """Where ``path``, absolute as the instance sees it, is from here."""
        return self.root / path.lstrip("/")

    def seen(self, path: Path) -> str:
        """``path`` as the instance, and the administrator, see it."""
        return "/" + str(path.relative_to(self.root)) if self.alternate else str(path)

    # What administrators write.

    @property
    def instances_dir(self) -> Path:
        return self.real("/etc/airflow/instances.d")

    @property
    def secrets_dir(self) -> Path:
        return self.real("/etc/airflow/secrets.d")

    @property
    def defaults_file(self) -> Path:
        return self.real("/etc/airflow/defaults.yaml")

    def instance_file(self, name: str) -> Path:
        return self.instances_dir / f"{name}.yaml"

    def secrets_file(self, name: str) -> Path:
        return self.secrets_dir / f"{name}.yaml"

    # What the tool chose once and keeps: under /etc, because it belongs into the
    # same backup as the declarations, and into none that expires like a cache.

    def keys_file(self, name: str) -> Path:
        return self.real(f"/etc/airflow/keys.d/{name}.yaml")

    @property
    def ports_dir(self) -> Path:
        return self.real("/etc/airflow/ports.d")

    def ports_file(self, name: str) -> Path:
        return self.ports_dir / f"{name}.yaml"

    # What the tool renders and may render again at any time.

    @staticmethod
    def environment_file(name: str) -> str:
        """Read by systemd as root, so it is in no directory of the service user."""
        return f"/etc/airflow/environment.d/{name}.env"

    @staticmethod
    def target_file(name: str) -> str:
        """What a check needs to know of an instance; nothing secret is in it."""
        return f"/etc/airflow/check.d/{name}.conf"

    @staticmethod
    def prometheus_file(name: str) -> str:
        """Where Prometheus finds an instance's metrics, for its file_sd_configs."""
        return f"/etc/airflow/prometheus.d/{name}.yaml"

    @staticmethod
    def watchdog_file(name: str) -> str:
        """What the watchdog remembers of an instance until the next boot."""
        return f"/run/airflow-instances/{name}.json"

    @staticmethod
    def textfile(name: str) -> str:
        """The last check as metrics, for the textfile collector of a node exporter."""
        return f"/run/airflow-instances/metrics/airflow-{name}.prom"

    @staticmethod
    def sudoers_file(name: str) -> str:
        """sudo reads no file with a dot in its name; ours have none."""
        return f"/etc/sudoers.d/airflow-{name}"

    @staticmethod
    def polkit_file(name: str) -> str:
        return f"/etc/polkit-1/rules.d/50-airflow-{name}.rules"

    @staticmethod
    def firewall_file(name: str) -> str:
        """For a site's nftables.conf to include."""
        return f"/etc/airflow/nftables.d/{name}.nft"

    @staticmethod
    def launcher_link(name: str) -> str:
        return f"{LAUNCHER_DIR}/airflow-{name}"

    @staticmethod
    def hidden_by_launcher(name: str) -> list[str]:
        """Where a program may be that the launcher would hide from people's PATH."""
        return [f"{place}/airflow-{name}" for place in ("/usr/bin", "/bin", "/usr/sbin", "/sbin")]

    @staticmethod
    def wanted_link(unit_name: str, wanted_by: str) -> str:
        """What `systemctl enable` makes for an instance of a template."""
        return f"/etc/systemd/system/{wanted_by}.wants/{unit_name}"

    @staticmethod
    def template(unit_name: str) -> str:
        """The shipped template of a unit such as airflow-webserver@NAME.service."""
        stem, _, rest = unit_name.partition("@")
        return f"{UNIT_DIR}/{stem}@.{rest.rpartition('.')[2]}"

    @staticmethod
    def drop_in(daemon: str, name: str) -> str:
        return Layout.unit_drop_in(unit(daemon, name))

    @staticmethod
    def unit_drop_in(unit_name: str) -> str:
        return f"/etc/systemd/system/{unit_name}.d/10-instance.conf"

    @staticmethod
    def failures_file(unit_name: str) -> str:
        """Where a unit's start gate counts failures: in its RuntimeDirectory=."""
        return f"/run/{unit_name.rpartition('.')[0]}/failures"

    # The tool's own state.

    @property
    def lock_file(self) -> Path:
        return self.real("/run/airflow-instances.lock")

    def instance_lock(self, name: str) -> Path:
        """Held by who migrates, backs up or restores."""
        return self.real(f"/run/airflow-instances/{name}.lock")

    @staticmethod
    def untold_file(name: str) -> str:
        """What was changed when an apply broke off before systemd was told."""
        return f"/run/airflow-instances/{name}.untold"

    @staticmethod
    def migrate_log(name: str) -> str:
        """What Airflow printed when it last made or changed the database."""
        return f"/var/log/airflow-instances/{name}-migrate.log"

    @staticmethod
    def backups_dir(name: str) -> str:
        return f"/var/backups/airflow-instances/{name}"

    @staticmethod
    def held_file(name: str) -> str:
        """What of an instance was stopped, to be started again when it can be."""
        return f"/var/lib/airflow-instances/held/{name}.json"

    @staticmethod
    def former_file(name: str) -> str:
        """Which Airflow an instance's database is of, while another one is installed."""
        return f"/var/lib/airflow-instances/former/{name}"

    def dropped_dir(self, name: str, stamp: str) -> str:
        """Where `drop` puts the declarations of an instance."""
        return f"/var/lib/airflow-instances/dropped/{name}-{stamp}"

    def rotated_dir(self, name: str, stamp: str) -> str:
        """Where `rotate-keys` keeps the keys that were before."""
        return f"/var/lib/airflow-instances/rotated/{name}-{stamp}"


def unit(daemon: str, name: str) -> str:
    """The systemd unit of an instance's daemon; ``daemon`` "" is the instance's own."""
    return f"airflow-{daemon}@{name}.service" if daemon else f"airflow@{name}.service"


def elsewhere(prefix: str) -> str:
    """What is said of an installation behind its version: nothing of the default one."""
    return "" if prefix == DEFAULT_INSTALLATION else f" in {prefix}"


def package_of(prefix: str) -> str:
    """The package whose tree is ``prefix``; airflow for a directory of no package.

    >>> package_of("/usr/lib/airflow-2.11"), package_of("/opt/airflow")
    ('airflow-2.11', 'airflow')
    """
    parent, _, name = prefix.rpartition("/")
    return name if (parent, name[:8]) == (PACKAGES, "airflow-") else "airflow"


def prefix_of(text: str) -> str:
    """The prefix that a person means: a directory, a package, or what tells that apart.

    >>> prefix_of("/opt/airflow"), prefix_of("airflow-2.11"), prefix_of("2.11")
    ('/opt/airflow', '/usr/lib/airflow-2.11', '/usr/lib/airflow-2.11')
    """
    if not text or "/" in text or "%" in text:
        return text
    own = text == "airflow" or text.startswith("airflow-")
    return f"{PACKAGES}/{text if own else f'airflow-{text}'}"


def data_file(name: str) -> Path:
    """A file shipped beside this package."""
    return Path(__file__).resolve().parent / "data" / name

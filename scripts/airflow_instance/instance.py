"""An instance with everything decided: what the renderers and the commands work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from .installation import Installation
from .leaves import Leaf, Leaves
from .url import Database
from .versions import Daemon, Option, table

if TYPE_CHECKING:
    from .packages import Extra


@dataclass(frozen=True)
class Instance:
    """What one declaration comes to on this host."""

    name: str
    parameters: Leaves
    installation: Installation
    database: Database
    config: Mapping[Option, Leaf]
    environment: Mapping[str, str]
    ports: Mapping[str, int]
    # What holds of the instance, for the table's `when`: kerberos, celery, sqlite,
    # statsd, fab or simple, and open or login.
    conditions: frozenset[str]
    keys: Mapping[str, str] = field(repr=False)
    warnings: tuple[str, ...] = ()
    extra: Extra | None = None

    def parameter(self, name: str) -> object:
        """The value of a scalar parameter of the declaration."""
        return self.parameters[(name,)].value

    @property
    def user(self) -> str:
        return str(self.parameter("service_user"))

    @property
    def group(self) -> str:
        return str(self.parameter("service_group"))

    @property
    def home(self) -> str:
        return str(self.parameter("airflow_home"))

    @property
    def create_user(self) -> bool:
        return bool(self.parameter("create_user"))

    @property
    def daemons(self) -> tuple[Daemon, ...]:
        """The processes that the instance has."""
        return table().daemons_of(self.installation.version, self.conditions)

    def group_of(self, name: str) -> Mapping[str, object]:
        """A mapping parameter, such as connections, one level of keys taken away."""
        result: dict[str, object] = {}
        for path, leaf in self.parameters.items():
            if path[0] == name and len(path) > 1:
                place = result
                for key in path[1:-1]:
                    place = cast("dict[str, object]", place.setdefault(key, {}))
                place[path[-1]] = leaf.value
        return result

    @property
    def metrics_path(self) -> str:
        """Where airflow-exporter, a plugin, has its page; "" when it is not installed."""
        if not any(self.installation.packages.glob("airflow_exporter-*.dist-info")):
            return ""
        return table().metrics_path(self.installation.version)

    def effective(self, purpose: str) -> str:
        """What Airflow takes for a purpose of the table: an environment variable is over
        airflow.cfg; "" when there is neither."""
        option = table().option(purpose, self.installation.version) if purpose else None
        if option is None:
            return ""
        variable = f"AIRFLOW__{option[0]}__{option[1]}".upper()
        return self.environment.get(variable) or self.option(purpose)

    def option(self, purpose: str) -> str:
        """The rendered value of a purpose of the table; "" when it has none."""
        option = table().option(purpose, self.installation.version)
        leaf = self.config.get(option) if option else None
        return "" if leaf is None or leaf.value is None else str(leaf.value)

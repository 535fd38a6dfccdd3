"""One host with its instances: from files to plans. What the commands start from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import declaration, desired, former, host, keys, packages, ports
from .changes import Change
from .declaration import Declared
from .errors import ConflictError, InstanceError, raise_all
from .facts import Facts
from .host import Host
from .installation import Installation
from .installation import find as find_installation
from .instance import Instance
from .items import DatabaseItem, DirectoryItem, FileItem, Item
from .layout import Layout
from .leaves import Leaves
from .packages import Extra
from .parameters import expand
from .plan import Planner
from .ports import Claim
from .render import environment
from .resolve import needed_keys, resolve
from .tree import Tree
from .url import LOCAL
from .versions import Version


@dataclass(frozen=True)
class InstancePlan:
    """What has to be done for one instance. ``instance`` is None when it is to be absent.

    ``former`` is the Airflow that its files were rendered for, when another is installed
    and `transition.carry_over` is to see to it. ``last`` is what there is to say when it
    is done.
    """

    name: str
    changes: tuple[Change, ...]
    warnings: tuple[str, ...] = ()
    instance: Instance | None = None
    former: Version | None = None
    last: str = ""


@dataclass(frozen=True)
class Neighbour:
    """What another instance has that no second one may have."""

    name: str
    claims: tuple[Claim, ...]
    home: str
    database: tuple[str, ...]  # kind, host, port and name
    database_user: str
    applied: bool  # whether it was there before this run


@dataclass
class Site:
    """A host: where it is, what it is, and how to change it."""

    layout: Layout
    facts: Facts
    host: Host
    can_bind: Callable[[int], bool] = ports.can_bind
    _known: dict[str, Neighbour] | None = None  # what a plan knows of all that are declared

    @classmethod
    def here(cls) -> Site:
        """This host, or the alternate root that the environment names."""
        layout = Layout.from_environment()
        return cls(layout, Facts.of_this_host(), host.of(layout))

    @property
    def tree(self) -> Tree:
        return Tree(self.layout)

    @property
    def planner(self) -> Planner:
        return Planner(self.tree, self.host)

    # Looking at one instance.

    def load(self, name: str, *, secrets: bool = True) -> Declared:
        """The declaration of ``name``; raises what `declaration.load` raises."""
        return declaration.load(self.layout, name, secrets=secrets)

    def installation(self, declared: Declared) -> Installation:
        """The Airflow it runs; raises InstallationError when there is none."""
        parameters, _ = expand(declared, self.facts)
        return find_installation(self.layout, str(parameters[("installation",)].value))

    def applied_prefix(self, name: str) -> str:
        """The installation that the daemons of ``name`` run from: it was applied with that.

        "" when it never was applied, or that may not be read.
        """
        text = self.tree.read(Layout.environment_file(name)) or b""
        path = environment.parse(text.decode("utf-8", "replace")).get("PATH", "")
        return path.partition(":")[0].removesuffix("/bin")

    def as_applied(self, declared: Declared) -> Declared:
        """``declared`` with the installation that its daemons run from."""
        prefix = self.applied_prefix(declared.name)
        return declared.with_installation(prefix) if prefix else declared

    def view(self, declared: Declared) -> Instance:
        """The instance as it is, nothing made for it. Keys are in it when they may be read."""
        kept = keys.load(self.layout, declared.name)[1] if declared.complete else {}
        return resolve(
            declared,
            self.facts,
            self.installation(declared),
            kept,
            self._ports(declared, ports.load(self.layout, declared.name)),
            self._extra(declared),
        )

    def _extra(self, declared: Declared) -> Extra | None:
        """Its own packages; nothing of what cannot be read, of which a plan tells."""
        parameters, _ = expand(declared, self.facts)
        try:
            return packages.read(self.tree, parameters, self.installation(declared))
        except InstanceError:
            return None

    # Planning.

    def plan(
        self, wanted: Sequence[str] = (), *, servers: bool = True, applied: bool = False
    ) -> tuple[list[InstancePlan], list[str]]:
        """What makes ``wanted``, or all instances, as they are declared; and warnings.

        Everything is checked before anything is returned: one malformed file among
        those wanted, and there is no plan. Without ``servers`` nobody asks this host's
        database servers, which may be away. ``applied`` keeps each with the installation
        that its daemons run from, whatever is declared since.

        Raises what `declaration.load_all`, `resolve` and `Planner.plan` raise.
        """
        self._known = None  # files may have changed since the last plan
        loaded, warnings = declaration.load_all(self.layout, wanted)
        plans: list[InstancePlan] = []
        problems: list[InstanceError] = []
        for declared in loaded:
            try:
                kept = self.as_applied(declared) if applied else declared
                plans.append(self._plan(kept, servers=servers))
            except InstanceError as error:
                problems.append(error)
        raise_all(problems)
        return plans, warnings

    def retire(self, name: str) -> list[Change]:
        """What takes an instance's rendered things away."""
        changes = self.planner.plan(desired.retired_items(name))
        return [*self.planner.stops(name), *self.planner.in_order(name, (), changes)]

    def _plan(self, declared: Declared, *, servers: bool) -> InstancePlan:
        if declared.absent:
            changes = self.retire(declared.name)
            return InstancePlan(declared.name, tuple(changes), declared.warnings)
        instance, made = self._prepare(declared)
        old = former.outdated(self.tree, declared.name, instance.installation)
        if old:
            made.append(former.item(declared.name, old))
        wanted = [*made, *desired.items(instance)]
        if not servers:
            wanted = [item for item in wanted if not isinstance(item, DatabaseItem)]
        changes = self.planner.plan(wanted)
        changes = self.planner.in_order(instance.name, instance.daemons, changes)
        return InstancePlan(declared.name, tuple(changes), instance.warnings, instance, old)

    def _prepare(self, declared: Declared) -> tuple[Instance, list[Item]]:
        """The instance with keys and ports, and the files that keep these."""
        name, layout = declared.name, self.layout
        parameters, _ = expand(declared, self.facts)
        installation = find_installation(layout, str(parameters[("installation",)].value))
        text, kept = keys.load(layout, name)
        text, kept = keys.complete(text, kept, needed_keys(declared, parameters, installation))
        own = self._allocate(declared, int(str(parameters[("port_range_start",)].value)))
        extra = packages.read(self.tree, parameters, installation)
        allocated = self._ports(declared, own)
        instance = resolve(declared, self.facts, installation, kept, allocated, extra)
        self._check_neighbours(declared, instance, own)
        made: list[Item] = [
            DirectoryItem(layout.seen(layout.secrets_dir), 0o700, "root", "root"),
            DirectoryItem(layout.seen(layout.keys_file(name).parent), 0o700, "root", "root"),
            FileItem(layout.seen(layout.ports_file(name)), ports.render(own).encode()),
        ]
        if text:
            path = layout.seen(layout.keys_file(name))
            made.append(FileItem(path, text.encode(), 0o600))
        return instance, made

    @staticmethod
    def _ports(declared: Declared, allocated: dict[str, int]) -> dict[str, int]:
        """The allocated ports with the fixed ones on top."""
        return {c.slot: c.port for c in ports.claims("", declared.leaves, allocated, "")}

    def _allocate(self, declared: Declared, start: int) -> dict[str, int]:
        taken = {c.port for n in self._others(declared.name) for c in n.claims}
        kept = ports.load(self.layout, declared.name)
        own = ports.allocate(
            kept,
            ports.explicit(declared.leaves),
            taken,
            start,
            self.can_bind,
        )
        # Until it is written, others of the same run have to know of it.
        if own != kept and (found := self._neighbour(declared.name, own)):
            self._neighbours()[declared.name] = found
        return own

    def _check_neighbours(
        self, declared: Declared, instance: Instance, own: dict[str, int]
    ) -> None:
        # First come, first served: who was never applied cannot stop who was.
        applied = bool(ports.load(self.layout, declared.name))
        others = [o for o in self._others(declared.name) if o.applied or not applied]
        where = self.layout.seen(self.layout.ports_file(declared.name))
        claims = ports.claims(declared.name, declared.leaves, own, where)
        ports.check(claims, [claim for other in others for claim in other.claims])
        own_database = _database_of(instance.parameters)
        origin = instance.parameters[("airflow_home",)].origin
        for other in others:
            if f"{instance.home}/".startswith(f"{other.home}/") or f"{other.home}/".startswith(
                f"{instance.home}/"
            ):
                raise ConflictError(
                    f"{origin}: the home {instance.home} and {other.name}'s, {other.home}, "
                    "are not apart",
                    hint="give each instance a directory of its own",
                )
            if own_database[0] == "sqlite" or own_database[:3] != other.database[:3]:
                continue
            where, what, name = instance.parameters[("db",)].origin, "", ""
            if own_database == other.database:
                what, name = "database", instance.database.name
            elif instance.database.user == other.database_user:
                what, name = "database user", instance.database.user
            if what:
                raise ConflictError(
                    f"{where}: the {what} {name} is {other.name}'s already",
                    hint=f"set another {'db_name' if what == 'database' else 'db_user'}",
                )

    def _others(self, name: str) -> list[Neighbour]:
        """The other declared instances, as far as their files can be read."""
        return [found for found in self._neighbours().values() if found.name != name]

    def _neighbours(self) -> dict[str, Neighbour]:
        """All declared instances; each file is read once for a plan, not for each of its parts."""
        if self._known is None:
            names, _, _ = declaration.listed(self.layout)
            found = [self._neighbour(name, None) for name in names]
            self._known = {entry.name: entry for entry in found if entry is not None}
        return self._known

    def _neighbour(self, name: str, allocated: dict[str, int] | None) -> Neighbour | None:
        try:
            declared = self.load(name, secrets=False)
            if declared.absent:
                return None
            kept = ports.load(self.layout, name)
            allocated = allocated or kept
            where = self.layout.seen(self.layout.ports_file(name))
            parameters, _ = expand(declared, self.facts)
        except InstanceError:
            # Its own apply says what is wrong with it; it must not stop this one.
            return None
        return Neighbour(
            name=name,
            claims=tuple(ports.claims(name, declared.leaves, allocated, where)),
            home=str(parameters[("airflow_home",)].value),
            database=_database_of(parameters),
            database_user=str(parameters[("db_user",)].value),
            applied=bool(kept),
        )


def _database_of(parameters: Leaves) -> tuple[str, ...]:
    """Where a database is: the same for all names that this host has."""
    kind, host, name = (str(parameters[(key,)].value) for key in ("db", "db_host", "db_name"))
    port = parameters.get(("db_port",))
    host = "" if host.startswith("/") or host in LOCAL else host
    return kind, host, str(port.value) if port else "", name

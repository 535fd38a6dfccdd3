"""Taking back an instance that could not be made to its end."""

from __future__ import annotations

from . import trees
from .changes import MakeDirectory
from .engine import Engine, locked
from .errors import InstanceError
from .site import InstancePlan, Site


def take_back(
    site: Site, engine: Engine, name: str, plan: InstancePlan | None, error: BaseException
) -> None:
    """Undo all that ``engine`` did; what could not be undone is added to the ``error``."""
    failed: list[str] = []
    instance = plan.instance if plan else None
    if plan and instance and not site.layout.alternate:
        made = {change.path for change in plan.changes if isinstance(change, MakeDirectory)}
        # In a home that is new Airflow may have begun to write; there is nobody's data in it.
        if instance.home in made and site.tree.status(instance.home) is not None:
            try:
                trees.empty(site, name, instance.home)
            except InstanceError as second:
                failed.append(str(second))
    with locked(site.layout):
        failed += engine.take_back()
    if failed and isinstance(error, InstanceError):
        error.hint = f"{error.hint}; left behind: {'; '.join(failed)}".lstrip("; ")

"""The order of the tests: first the modules whose scenarios have come to their end.

pytest goes by the names of files, and would wait minutes for the scenario of the first
while machines that were looked at, or could be, go on working. A machine that no test
to come asks is powered off.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence

import pytest
from tests.host.lab import Lab
from tests.host.registry import wanted

LAB = pytest.StashKey[Lab]()


class Turns:
    """A pytest plugin that has modules take turns; the tests of each keep their order."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Begin with what needs least: nothing is known before the lab has started."""
        modules = _modules(items)
        if modules:
            _first(items, 0, min(modules, key=lambda module: len(_scenarios(module))))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """Where a module ends, choose the next.

        pytest takes an item from the list when its turn comes; what it was told comes next
        only decides which fixtures end, and those of another module are the same session's.
        """
        done = yield
        lab = item.config.stash.get(LAB, None)
        if lab and nextitem and nextitem.path != item.path and not item.session.shouldstop:
            items = item.session.items
            place = items.index(nextitem)
            left = _modules(items[place:])
            lab.retire_all_but(_scenarios(items[place:]))
            while not (ready := [it for it in left if _settled(lab, _scenarios(it))]):
                lab.wait()
            _first(items, place, ready[0])
        return done


def _modules(items: Sequence[pytest.Item]) -> list[list[pytest.Item]]:
    found: dict[object, list[pytest.Item]] = {}
    for item in items:
        found.setdefault(item.path, []).append(item)
    return list(found.values())


def _first(items: list[pytest.Item], place: int, module: Sequence[pytest.Item]) -> None:
    """Have ``module`` at ``place``, and what was between behind it."""
    chosen = set(module)
    items[place:] = [*module, *(item for item in items[place:] if item not in chosen)]


def _scenarios(items: Iterable[pytest.Item]) -> list[str]:
    return list(wanted(name for item in items for name in getattr(item, "fixturenames", ())))


def _settled(lab: Lab, names: Iterable[str]) -> bool:
    """Whether all of ``names`` have ended, and whatever goes on with a machine of theirs."""
    working = lab.working()
    touched = {name for name in wanted(working) if lab.has_machine(name)}
    return not {*working, *touched}.intersection(names)

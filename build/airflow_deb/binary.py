"""The two binary packages of the source package, each built by a run of its own.

Debian's own builders do the same (``--build=any``, ``--build=all``). A change of
the host tool, which is built in seconds, so leaves the large package alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from .errors import UsageError


@dataclass(frozen=True)
class Binary:
    """A binary package: its name, architecture, and dpkg-buildpackage's word for it.

    ``role`` is the name that it has unless NAME= gives it another.
    """

    name: str
    architecture: str
    build: str
    role: str

    @property
    def is_airflow(self) -> bool:
        """Whether it is the package with Airflow inside, whatever its name."""
        return self.role == AIRFLOW.role

    def provides(self, python: str, version: str) -> str:
        """What the package, of Debian version ``version``, says that it is (policy 7.5).

        For plugins, a place for modules of that ``python`` (``3.9``). For
        airflow-instances, when it has another name, an environment. Not airflow: who
        depends on that looks into /usr/lib/airflow.
        """
        own = self.for_plugins(python)
        return f"{own} (= {version})" + ("" if self.name == self.role else ", airflow-environment")

    def for_plugins(self, python: str) -> str:
        """What a package that puts modules into this one's tree depends on.

        After an upgrade of Debian the same Airflow has another Python, which would not
        see them.
        """
        return f"{self.name}-python{python}"

    def wants(self, file: str) -> bool:
        """Whether the file of this name in debian/ is part of the tree it is built from.

        >>> INSTANCES.wants("airflow.postrm"), INSTANCES.wants("control")
        (False, True)
        """
        if self.is_airflow:
            return not file.startswith(f"{INSTANCES.name}.")
        return file in _SHARED or file.startswith(f"{self.name}.")


AIRFLOW = Binary("airflow", "amd64", "any", "airflow")
INSTANCES = Binary("airflow-instances", "all", "all", "airflow-instances")
# In the order that they are built in: the quick one first.
BINARIES = (INSTANCES, AIRFLOW)

# What of debian/ is about the source package as a whole.
_SHARED = ("changelog.in", "control", "copyright", "rules", "source/format")

# Debian policy 5.6.1, behind our own beginning.
_NAME = re.compile(r"airflow(?:-[a-z0-9][a-z0-9.+-]*)?")
# The names of the host tool's package and command, of what packages provide, and of
# packages that bring plugins.
_TAKEN = re.compile(r"airflow-(?:instances?|environment|(?:.+-)?plugin-.*|(?:.+-)?python3[.0-9]*)")


def named(name: str) -> Binary:
    """The package with Airflow inside, called ``name``.

    Raises UsageError for a name that it cannot have.
    """
    hint = "write airflow, or airflow- and what tells it apart, as in airflow-2.11"
    if not _NAME.fullmatch(name):
        raise UsageError(f"NAME={name!r} cannot name the package", hint=hint)
    if _TAKEN.fullmatch(name):
        raise UsageError(f"NAME={name!r} is the name of something else", hint=hint)
    return replace(AIRFLOW, name=name)


def chosen(package: str, name: str = AIRFLOW.name) -> tuple[Binary, ...]:
    """The packages that PACKAGE=``package`` asks for: one, or all without it.

    NAME=``name`` is what the one with Airflow inside is called. Raises UsageError for a
    package that is neither, and what `named` raises.
    """
    ours = (INSTANCES, named(name))
    found = tuple(binary for binary in ours if package in ("", binary.role, binary.name))
    if not found:
        names = " or ".join(sorted(binary.role for binary in ours))
        raise UsageError(f"PACKAGE={package!r} is not one of ours", hint=f"write {names}")
    return found

"""The two binary packages of the source package, each built by a run of its own.

Debian's own builders do the same (``--build=any``, ``--build=all``). A change of
the host tool, which is built in seconds, so leaves the large package alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import UsageError


@dataclass(frozen=True)
class Binary:
    """A binary package: its name, architecture, and dpkg-buildpackage's word for it."""

    name: str
    architecture: str
    build: str

    def wants(self, file: str) -> bool:
        """Whether the file of this name in debian/ is part of the tree it is built from.

        >>> INSTANCES.wants("airflow.postrm"), INSTANCES.wants("control")
        (False, True)
        """
        if self is INSTANCES:
            return file in _SHARED or file.startswith(f"{self.name}.")
        return not file.startswith(f"{INSTANCES.name}.")


AIRFLOW = Binary("airflow", "amd64", "any")
INSTANCES = Binary("airflow-instances", "all", "all")
# In the order that they are built in: the quick one first.
BINARIES = (INSTANCES, AIRFLOW)

# What of debian/ is about the source package as a whole.
_SHARED = ("changelog.in", "control", "copyright", "rules", "source/format")


def chosen(name: str) -> tuple[Binary, ...]:
    """The packages that PACKAGE=``name`` asks for: one, or all without a name.

    Raises UsageError for a name that neither has.
    """
    found = tuple(binary for binary in BINARIES if name in ("", binary.name))
    if not found:
        names = " or ".join(sorted(binary.name for binary in BINARIES))
        raise UsageError(f"PACKAGE={name!r} is not one of ours", hint=f"write {names}")
    return found

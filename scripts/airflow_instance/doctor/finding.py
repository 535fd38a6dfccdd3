"""What the checks have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace

from ..instance import Instance
from ..site import Site

ERROR = "error"  # it does not work, or somebody has what is not his
WARNING = "warning"  # it will not work one day, or not as it was meant


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be; ``mend`` is the command, or what to do."""

    severity: str
    check: str
    text: str
    mend: str
    instance: str = ""

    def of(self, name: str) -> Finding:
        """The same about the instance ``name``."""
        return replace(self, instance=name)

    def line(self) -> str:
        """For people."""
        place = f"{self.instance}: " if self.instance else ""
        return f"{place}{self.severity}: {self.text}\n    {self.mend}"

    def as_dict(self) -> dict[str, str]:
        """For scripts."""
        return asdict(self)


@dataclass(frozen=True)
class Patient:
    """An instance as it is declared, on its host."""

    site: Site
    name: str
    instance: Instance


HostCheck = Callable[[Site], Iterable[Finding]]
InstanceCheck = Callable[[Patient], Iterable[Finding]]

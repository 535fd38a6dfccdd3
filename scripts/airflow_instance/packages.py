"""Python packages that one instance has beside its installation's: an overlay in its home.

    extra_packages: /etc/airflow/packages.d/NAME/lock.txt

is a requirements file in which everything has its version and its sha256, with the wheels
beside it. They are unpacked into AIRFLOW_HOME/packages/KEY, a directory for each content of
the file and each Airflow, so that none is ever changed under a daemon; PYTHONPATH and PATH
in the instance's environment name it. unpacking.py has it done.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .errors import DeclarationError
from .installation import Installation
from .instance import Instance
from .items import PackagesItem
from .leaves import Leaves
from .tree import Tree

PARAMETER = "extra_packages"
# Raise it when what is unpacked changes for a reason that is in no lock.
_FORMAT = "1"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_ENTRY = re.compile(rf"({_NAME})(?:\[[^\]]*\])?==([^\s;]+)((?: +--hash=sha256:[0-9a-f]{{64}})+)")
_COMMENT = re.compile(r"(^|\s+)#.*$")


@dataclass(frozen=True)
class Extra:
    """What is asked for: the file with its text, and name and version of all in it."""

    path: str
    text: str = field(repr=False)
    names: tuple[str, ...]
    key: str

    @property
    def wheels(self) -> str:
        """The directory with the wheels."""
        return posixpath.dirname(self.path)

    def directory(self, home: str) -> str:
        """Where they are, once they are there."""
        return f"{home}/packages/{self.key}"


def read(tree: Tree, parameters: Leaves, installation: Installation) -> Extra | None:
    """What the declaration asks for; None when that is nothing.

    Raises DeclarationError for a file that is not there, or that locks not everything.
    """
    leaf = parameters.get((PARAMETER,))
    if leaf is None:
        return None
    path = posixpath.normpath(str(leaf.value))
    content = tree.read(path)
    if content is None:
        raise DeclarationError(
            f"{leaf.origin}: {PARAMETER}: there is no file {path}",
            hint="put the locked requirements there, and the wheels beside them",
        )
    text = content.decode("utf-8", "replace")
    names = tuple(_entries(text, path))
    facts = (_FORMAT, str(installation.version), installation.packages.parent.name, text)
    key = hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]
    return Extra(path, text, names, key)


def _entries(text: str, path: str) -> Iterator[str]:
    """Name and version of each package that is locked in ``text``."""
    joined, start = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = _COMMENT.sub("", raw).strip()
        start = start or number
        joined = f"{joined} {line}".strip()
        if joined.endswith("\\"):
            joined = joined[:-1].rstrip()
            continue
        if joined:
            match = _ENTRY.fullmatch(joined)
            if match is None:
                raise DeclarationError(
                    f"{path}:{start}: not a locked package: {joined[:60]!r}",
                    hint="write NAME==VERSION --hash=sha256:…, as uv pip compile "
                    "--generate-hashes does",
                )
            yield f"{match[1]} {match[2]}"
        joined, start = "", 0
    if joined:
        raise DeclarationError(f"{path}:{start}: its last line goes on", hint="end it")


def item(instance: Instance) -> PackagesItem:
    """The overlay; without one, that there is none any more."""
    extra = instance.extra
    return PackagesItem(
        directory=f"{instance.home}/packages",
        key=extra.key if extra else "",
        lock=extra.text if extra else "",
        names=extra.names if extra else (),
        wheels=extra.wheels if extra else "",
        user=instance.user,
        home=instance.home,
        prefix=instance.installation.prefix,
    )

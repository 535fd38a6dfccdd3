"""Which Airflow an instance was rendered for, and which one its database is of.

Both may be another than the one that is installed: after a package was upgraded, or when
a declaration names another installation. The first is in what `apply` wrote down for
checks; the second is written down with the first rendering for the new one, and
forgotten once the database is as that wants it.
"""

from __future__ import annotations

import json
import posixpath
import re

from .errors import InstanceError
from .installation import Installation
from .items import FileItem
from .layout import Layout
from .render import header
from .tree import Tree
from .versions import Version, parse

_METADATA = re.compile(r"apache_airflow-([^-]+)\.dist-info")


def rendered_for(tree: Tree, name: str) -> str:
    """The dist-info of the Airflow that ``name`` was rendered for; "" when it never was."""
    text = (tree.read(Layout.target_file(name)) or b"").decode("utf-8", "replace")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    try:
        # Whatever other fields there are: a former version of this tool may have written it.
        return str(json.loads("\n".join(lines))["installation"])
    except (ValueError, KeyError, TypeError):
        return ""


def outdated(tree: Tree, name: str, installation: Installation) -> Version | None:
    """The Airflow that ``name`` was rendered for, when it is not ``installation``."""
    path = rendered_for(tree, name)
    match = _METADATA.fullmatch(posixpath.basename(path))
    if match is None or path == installation.metadata:
        return None
    try:
        return parse(match[1])
    except InstanceError:
        return None


def item(name: str, version: Version) -> FileItem:
    """What remembers that the database is of ``version``; an earlier memory stays."""
    text = f"{header(name)}{version}\n"
    return FileItem(Layout.former_file(name), text.encode(), once=True)


def of_database(tree: Tree, name: str) -> Version | None:
    """The Airflow that the database of ``name`` is of; None when it is the installed one."""
    text = (tree.read(Layout.former_file(name)) or b"").decode("utf-8", "replace")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    try:
        return parse(lines[-1]) if lines else None
    except InstanceError:
        return None


def forget(tree: Tree, name: str) -> None:
    """The database is as the installed Airflow wants it."""
    tree.remove(Layout.former_file(name))


def label(version: Version, installation: Installation) -> str:
    """How to call the former Airflow beside the one that is there now."""
    if version.numbers == installation.version.numbers:
        return f"another build of Airflow {version}"
    return f"Airflow {version}"

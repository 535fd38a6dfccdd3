"""Modes and owners: who could read what is secret, or change what runs."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable, Iterator

from ..layout import Layout
from .finding import ERROR, WARNING, Finding, Patient


def secrets(patient: Patient) -> Iterable[Finding]:
    """Only root reads what instances are made from, and the service user what it needs.

    Files with secrets that others can read are not even loaded: that is said elsewhere.
    """
    layout, name = patient.site.layout, patient.name
    ours = (0, os.geteuid()) if layout.alternate else (0,)
    for path, most in (
        (layout.seen(layout.secrets_dir), 0o700),
        (layout.seen(layout.keys_file(name).parent), 0o700),
        (Layout.environment_file(name), 0o640),
    ):
        found = _stat(patient, path)
        if found is None:
            continue
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid not in ours:
            yield Finding(
                ERROR, "modes", f"{path} belongs to user {found.st_uid}", f"chown root:root {path}"
            )
        if mode & ~most:
            text = f"{path} is {mode:04o}: others than root may read it"
            yield Finding(ERROR, "modes", text, f"chmod {most:04o} {path}")


def parents(patient: Patient) -> Iterable[Finding]:
    """Nobody else may move the home, the installation or the declarations away."""
    instance, layout = patient.instance, patient.site.layout
    for path in (
        instance.home,
        instance.installation.prefix,
        layout.seen(layout.instance_file(patient.name)),
    ):
        for above in _above(path):
            found = _stat(patient, above)
            if found is None or not found.st_mode & 0o022 or found.st_mode & stat.S_ISVTX:
                continue
            who = "everyone" if found.st_mode & 0o002 else f"group {found.st_gid}"
            yield Finding(
                ERROR,
                "parents",
                f"{above}, above {path}, can be changed by {who}",
                f"chmod go-w {above}",
            )


def home(patient: Patient) -> Iterable[Finding]:
    """What the instance reads in its home is its own, and shut to others."""
    instance = patient.instance
    account = patient.site.host.user(instance.user)
    found = _stat(patient, instance.home)
    remedy = f"airflow-instance apply {patient.name}"
    if found is None:
        yield Finding(ERROR, "home", f"{instance.home} is not there", remedy)
        return
    for folder in _folders(patient):
        found = _stat(patient, folder)
        if found is None:
            continue
        if account and found.st_uid not in (0, account.uid):
            yield Finding(
                ERROR,
                "home",
                f"{folder} belongs to user {found.st_uid}, not to {instance.user}",
                f"chown -h {instance.user}:{instance.group} {folder}",
            )
        if found.st_mode & 0o002 and not stat.S_ISLNK(found.st_mode):
            yield Finding(ERROR, "home", f"everyone may write to {folder}", f"chmod o-w {folder}")


def space(patient: Patient) -> Iterable[Finding]:
    """There is room for logs and the database, in bytes and in inodes."""
    instance = patient.instance
    seen: set[int] = set()
    for path in (instance.home, instance.effective("base_log_folder")):
        found = _stat(patient, path)
        if found is None or found.st_dev in seen:
            continue
        seen.add(found.st_dev)
        room = os.statvfs(patient.site.layout.real(path))
        for what, free, total in (
            ("space", room.f_bavail, room.f_blocks),
            ("inodes", room.f_favail, room.f_files),
        ):
            share = 100 * free / total if total else 100
            if share < 10:
                yield Finding(
                    ERROR if share < 5 else WARNING,
                    "disk",
                    f"{path}: {share:.0f} % of the {what} is free",
                    f"airflow-instance clean-logs {patient.name}",
                )


def _folders(patient: Patient) -> Iterator[str]:
    instance = patient.instance
    yield instance.home
    for purpose in ("dags_folder", "base_log_folder"):
        folder = posixpath.normpath(instance.effective(purpose))
        if folder.startswith("/"):
            yield folder


def _above(path: str) -> list[str]:
    """The directories above ``path``, the nearest first.

    >>> _above("/srv/a/b")
    ['/srv/a', '/srv', '/']
    """
    found = []
    while path != "/":
        path = posixpath.dirname(path)
        found.append(path)
    return found


def _stat(patient: Patient, path: str) -> os.stat_result | None:
    """What is at ``path``: looked at only, nothing behind it is opened."""
    try:
        return os.lstat(patient.site.layout.real(path))
    except OSError:
        return None


CHECKS = (secrets, parents, home, space)

"""The user that an instance runs as."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterable

from .finding import ERROR, WARNING, Finding, Patient

_NO_SHELLS = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false")
# Who is in one of these is as good as root.
_POWERFUL = ("root", "sudo", "wheel", "adm", "disk", "shadow", "docker", "lxd", "libvirt")


def account(patient: Patient) -> Iterable[Finding]:
    """It is there, it is not root, and nobody logs in as it."""
    user, name = patient.instance.user, patient.name
    entry = _entry(patient)
    if entry is None:
        if patient.site.host.user(user) is None:
            yield Finding(
                ERROR, "user", f"there is no user {user}", f"airflow-instance apply {name}"
            )
        return
    if entry.pw_uid == 0:
        yield Finding(
            ERROR,
            "user",
            f"{user} is root by another name",
            f"airflow-instance set {name} service_user=airflow-{name}",
        )
    if entry.pw_shell not in _NO_SHELLS:
        yield Finding(
            WARNING,
            "user",
            f"{user} can log in: its shell is {entry.pw_shell or '/bin/sh'}",
            f"usermod --shell /usr/sbin/nologin {user}",
        )


def groups(patient: Patient) -> Iterable[Finding]:
    """Its group is there, and it is in none that would make tasks as good as root."""
    instance = patient.instance
    if patient.site.host.group(instance.group) is None:
        yield Finding(
            ERROR,
            "group",
            f"there is no group {instance.group}",
            f"airflow-instance apply {patient.name}",
        )
    entry = _entry(patient)
    if entry is None:
        return
    for gid in os.getgrouplist(instance.user, entry.pw_gid):
        try:
            group = grp.getgrgid(gid).gr_name
        except KeyError:
            continue
        if group in _POWERFUL:
            yield Finding(
                ERROR,
                "group",
                f"{instance.user} is in the group {group}: every task is as good as root",
                f"gpasswd --delete {instance.user} {group}",
            )


def _entry(patient: Patient) -> pwd.struct_passwd | None:
    """The user's entry; None below an alternate root, where there are no real users."""
    if patient.site.layout.alternate:
        return None
    try:
        return pwd.getpwnam(patient.instance.user)
    except KeyError:
        return None


CHECKS = (account, groups)

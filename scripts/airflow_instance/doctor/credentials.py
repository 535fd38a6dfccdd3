"""Keys and tickets: what they open, they open."""

from __future__ import annotations

from collections.abc import Iterable

from .. import kerberos, rotation
from .finding import ERROR, WARNING, Finding, Patient

_SHOWN = 5


def keytab(patient: Patient) -> Iterable[Finding]:
    """The keytab has the principal's current key, and the service user may read it."""
    if "kerberos" not in patient.instance.conditions or patient.site.layout.alternate:
        return
    for found in kerberos.findings(patient.site, patient.name, ask_kdc=False):
        yield Finding(
            ERROR if found.level == "error" else WARNING, "keytab", found.text, found.hint
        )


def fernet(patient: Patient) -> Iterable[Finding]:
    """The key opens what is encrypted in the database."""
    instance = patient.instance
    key = instance.effective("fernet_key")
    if not key or patient.site.layout.alternate:
        return
    unreadable = rotation.values(patient.site, instance, key).unreadable
    if unreadable:
        shown = ", ".join(unreadable[:_SHOWN])
        more = f" and {len(unreadable) - _SHOWN} more" if len(unreadable) > _SHOWN else ""
        yield Finding(
            ERROR,
            "fernet_key",
            f"the fernet key does not open {shown}{more}",
            f"append the key they were encrypted with to fernet_key of {patient.name}, with a "
            "comma between; or enter them anew",
        )


CHECKS = (keytab, fernet)

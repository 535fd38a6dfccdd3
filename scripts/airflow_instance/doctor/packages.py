"""Extra packages: they are there, as they were unpacked, and could be unpacked again."""

from __future__ import annotations

from collections.abc import Iterable

from .. import packages, unpacking
from .finding import ERROR, Finding, Patient

_MOST = 3  # files that are named


def complete(patient: Patient) -> Iterable[Finding]:
    """What the instance's environment names is complete."""
    site, instance = patient.site, patient.instance
    if (packages.PARAMETER,) not in instance.parameters:
        return
    if instance.extra is None:
        # Says what is wrong with the file; that is the finding.
        packages.read(site.tree, instance.parameters, instance.installation)
        return
    item = packages.item(instance)
    remedy = f"airflow-instance apply {patient.name}"
    if site.tree.status(item.path) is None:
        text = f"the packages of {instance.extra.path} are not in {item.path}"
        yield Finding(ERROR, "packages", text, remedy)
        return
    found = unpacking.damage(site.layout, site.host, item)
    for line in found[:_MOST]:
        yield Finding(ERROR, "packages", line, f"rm -r {item.path}; {remedy}")


CHECKS = (complete,)

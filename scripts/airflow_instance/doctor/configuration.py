"""What is declared, what was rendered, and what wins over both."""

from __future__ import annotations

from collections.abc import Iterable

from ..changes import Systemctl
from ..exposure import openings
from ..installation import known_options
from ..layout import Layout, package_of
from ..url import LOCAL
from .finding import ERROR, WARNING, Finding, Patient


def pending(patient: Patient) -> Iterable[Finding]:
    """The host is as it is declared."""
    plans, _ = patient.site.plan([patient.name])
    changes = [c for plan in plans for c in plan.changes if not isinstance(c, Systemctl)]
    if changes:
        more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
        yield Finding(
            WARNING,
            "apply",
            f"not as it is declared: apply would {changes[0].describe()}{more}",
            f"airflow-instance apply {patient.name}",
        )


def warnings(patient: Patient) -> Iterable[Finding]:
    """What apply warns of: options that this Airflow does not know, or calls otherwise."""
    for text in patient.instance.warnings:
        yield Finding(
            WARNING, "options", text, f"correct it, and airflow-instance apply {patient.name}"
        )


def overrides(patient: Patient) -> Iterable[Finding]:
    """No variable of the environment says otherwise than airflow.cfg, where people look."""
    instance = patient.instance
    known = known_options(instance.installation)
    for variable in instance.environment:
        words = variable.split("__")
        if len(words) != 3 or words[0] != "AIRFLOW":
            continue
        section = next((s for s in known if s.upper() == words[1]), words[1].lower())
        option = words[2].lower()
        if (section, option) in instance.config:
            yield Finding(
                WARNING,
                "environment",
                f"{variable} in environment_extra wins over [{section}] {option} in airflow.cfg",
                f"airflow-instance set {patient.name} --unset environment_extra.{variable} --apply",
            )


def exposure(patient: Patient) -> Iterable[Finding]:
    """Nobody is an Admin without a password."""
    instance = patient.instance
    local = instance.effective("web_host") in LOCAL
    who = "every user of this host" if local else "everyone who reaches this host"
    for opening in openings(instance):
        yield Finding(
            WARNING if local else ERROR,
            "access",
            f"{opening.text} makes {who} an Admin of it",
            f"airflow-instance set {patient.name} {opening.mend} --apply"
            if opening.mend
            else f"take it away, and airflow-instance apply {patient.name}",
        )


def interpreter(patient: Patient) -> Iterable[Finding]:
    """The installation still runs: its Python is there, and the one it was built for."""
    installation, layout = patient.instance.installation, patient.site.layout
    python = layout.real(f"{installation.bin_dir}/python")
    built = installation.packages.parent.name
    if layout.alternate:
        return
    if not python.exists():
        yield Finding(
            ERROR,
            "installation",
            f"{installation.bin_dir}/python leads nowhere: {built} is not installed",
            f"apt install --reinstall {package_of(installation.prefix)}",
        )
    elif not python.resolve().name.startswith(built):
        yield Finding(
            ERROR,
            "installation",
            f"{installation.prefix} was built for {built} and runs on {python.resolve().name}",
            f"apt install --reinstall {package_of(installation.prefix)}",
        )


def launcher(patient: Patient) -> Iterable[Finding]:
    """The command airflow-NAME hides no program, such as that of a package called so."""
    for path in Layout.hidden_by_launcher(patient.name):
        if patient.site.tree.status(path) is not None:
            yield Finding(
                WARNING,
                "launcher",
                f"{Layout.launcher_link(patient.name)} hides {path}",
                f"airflow-instance rename {patient.name} NEW, or call {path} by its path",
            )
            return


CHECKS = (pending, warnings, overrides, exposure, interpreter, launcher)

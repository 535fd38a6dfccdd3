"""What a team's group may do with its own instance: sudo and polkit rules.

For sudo every command line is spelled out: no pattern takes in a space, so that
nothing can be added to a command, and a name is never the beginning of another's.
The commands run no pager, editor or shell.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from . import log_cleaning, units
from .instance import Instance
from .items import AbsentItem, FileItem, GroupItem, Item
from .layout import Layout, unit
from .render import header

# What else works for an instance, beside its daemons, and writes to the journal.
HELPERS = (log_cleaning.DAEMON, "backup", "watchdog")

_VERBS = ("start", "stop", "restart")
_TOOL = "/usr/bin/airflow-instance"
# One and the same where /usr is merged; sudo takes what was typed.
_SYSTEMCTL = ("/usr/bin/systemctl", "/bin/systemctl")
_DIGIT = "[0-9]"
_DAY = f"{_DIGIT * 4}-{_DIGIT * 2}-{_DIGIT * 2}"
_LOGS = (
    *("", "-f", "--since today", "--since yesterday", f"--since {_DAY}"),
    *(f"-n {_DIGIT * digits}" for digits in range(1, 6)),
)
# What has to be content with the file before it is put in place.
_CHECK = ("visudo", "-c", "-q", "-f", "-")


def items(instance: Instance) -> Iterable[Item]:
    """The rules, for an instance with a team_group."""
    leaf = instance.parameters.get(("team_group",))
    if leaf is None:
        yield from retired(instance.name)
        return
    group = str(leaf.value)
    yield GroupItem(group, leaf.origin)
    yield FileItem(
        Layout.sudoers_file(instance.name),
        sudoers(instance, group).encode(),
        0o440,
        check=_CHECK,
    )
    yield FileItem(Layout.polkit_file(instance.name), polkit(instance, group).encode())


def retired(name: str) -> Iterable[Item]:
    """No rules for what is absent."""
    yield AbsentItem(Layout.sudoers_file(name))
    yield AbsentItem(Layout.polkit_file(name))


def sudoers(instance: Instance, group: str) -> str:
    """A file for /etc/sudoers.d."""
    alias = f"AIRFLOW_{instance.name.upper().replace('-', '_')}"
    lines = ", \\\n    ".join(commands(instance))
    return (
        f"{header(instance.name)}"
        f"# team_group: what {group} may do as root, and nothing else.\n"
        f"Cmnd_Alias {alias} = \\\n    {lines}\n"
        f"Defaults!{alias} env_reset, !setenv\n"
        f"%{group} ALL = (root) NOPASSWD: {alias}\n"
    )


def commands(instance: Instance) -> Iterator[str]:
    """Every command line, as sudoers(5) has it."""
    name = instance.name
    for verb in (*_VERBS, "status", "check"):
        yield f"{_TOOL} {verb} {name}"
    for verb in ("stop", "restart"):
        yield f"{_TOOL} {verb} {name} --drain"
        yield f"{_TOOL} {verb} {name} --force"
    for daemon in ("", *(daemon.name for daemon in instance.daemons), *HELPERS):
        for options in _LOGS:
            yield " ".join(word for word in (_TOOL, "logs", name, daemon, options) if word)
    for program in _SYSTEMCTL:
        for verb in _VERBS:
            for unit_name in _units(instance):
                yield f"{program} {verb} {unit_name}"
                yield f"{program} {verb} {unit_name[: -len('.service')]}"


def polkit(instance: Instance, group: str) -> str:
    """A rule for polkit 0.106 and later: `systemctl restart airflow@NAME` without sudo."""
    return (
        f"{header(instance.name, '//')}"
        f"// team_group: the units that {group} may start, stop and restart.\n"
        "polkit.addRule(function(action, subject) {\n"
        f"    var units = {json.dumps(_units(instance))};\n"
        f"    var verbs = {json.dumps(_VERBS)};\n"
        '    if (action.id == "org.freedesktop.systemd1.manage-units" &&\n'
        '        units.indexOf(action.lookup("unit")) >= 0 &&\n'
        '        verbs.indexOf(action.lookup("verb")) >= 0 &&\n'
        f"        subject.isInGroup({json.dumps(group)})) {{\n"
        "        return polkit.Result.YES;\n"
        "    }\n"
        "});\n"
    )


def _units(instance: Instance) -> list[str]:
    return [unit("", instance.name), *units.of(instance)]

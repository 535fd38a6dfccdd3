"""What of a backup goes where: over the instance itself, or into another one."""

from __future__ import annotations

from . import backups, document, dumps, edit, keys, migration, ports, quoting
from .backups import Backup
from .changes import Change, Remove, WriteFile
from .errors import ConflictError, DeclarationError, InstallationError
from .instance import Instance
from .leaves import Path
from .parameters import database_kind, url_templates
from .site import InstancePlan, Site
from .versions import Version, parse

_MODES = {"instance.yaml": 0o644, "secrets.yaml": 0o600, "keys.yaml": 0o600, "ports.yaml": 0o644}
# What a copy cannot have, because the original has it.
_OWN = ("service_user", "service_group", "airflow_home", "db_name", "db_user", "ports")


def fitting(plan: InstancePlan, backup: Backup) -> Instance:
    """The instance of ``plan``, when the backup can be restored into it.

    Raises ConflictError when it cannot.
    """
    instance = plan.instance
    if instance is None:
        raise ConflictError(f"{plan.name} is declared absent, in the backup as well")
    kind = database_kind(instance.parameters)
    if backup.dump and dumps.FILES.get(kind) != backup.dump:
        raise ConflictError(
            f"{plan.name} has a {kind} database, and the backup is of {backup.kind}",
            hint=f"airflow-instance set {plan.name} db={backup.kind} --apply, or restore "
            "declaration and all, without --database-only",
        )
    unknown = set(backup.revisions) - migration.known_to(instance)
    if unknown:
        hint = f"install Airflow {backup.airflow} or newer first"
        if _too_old(backup, instance.installation.version):
            hint = (
                f"install Airflow {backup.airflow} again, or one between that can bring it up to "
                f"{instance.installation.version}, restore, migrate, and go on from there"
            )
        raise ConflictError(
            f"the backup is of Airflow {backup.airflow}, whose database Airflow "
            f"{instance.installation.version} does not know ({', '.join(sorted(unknown))})",
            hint=hint,
        )
    return instance


def _too_old(backup: Backup, installed: Version) -> bool:
    try:
        return parse(backup.airflow).numbers < installed.numbers
    except InstallationError:
        return False


def config(site: Site, backup: Backup) -> list[Change]:
    """What makes the files of /etc/airflow those of the backup."""
    layout = site.layout
    changes: list[Change] = []
    for file, real in backups.config_files(layout, backup.name).items():
        path, content = layout.seen(real), backup.read(file)
        now = site.tree.read(path)
        if file == "ports.yaml" and content is not None and _taken(site, backup.name, content):
            continue
        if content is None and now is not None and file != "ports.yaml":
            changes.append(Remove(path))
        elif content is not None and content != now:
            changes.append(WriteFile(path, content, now, _MODES[file], "root", "root"))
    return changes


def _taken(site: Site, name: str, content: bytes) -> bool:
    """Whether another instance has got one of the ports meanwhile."""
    root = document.parse(content.decode("utf-8"), "ports.yaml")
    values = document.plain(root) if root else {}
    wanted = set(values.values()) if isinstance(values, dict) else set()
    try:
        entries = [path.stem for path in site.layout.ports_dir.iterdir()]
    except FileNotFoundError:
        return False
    others = {
        p for other in entries if other != name for p in ports.load(site.layout, other).values()
    }
    return bool(wanted & others)


def copies(site: Site, backup: Backup, new: str) -> list[Change]:
    """What makes the files of /etc/airflow for the copy ``new``.

    Raises ConflictError when there are some, DeclarationError when one cannot be copied.
    """
    layout = site.layout
    files = backups.config_files(layout, new)
    for file in ("instance.yaml", "keys.yaml"):
        if site.tree.status(layout.seen(files[file])) is not None:
            raise ConflictError(
                f"{layout.seen(files[file])} is there already", hint="choose another name"
            )
    where = layout.seen(files["instance.yaml"])
    text = _without(_text(backup, "instance.yaml"), where, _OWN)
    text = edit.set_value(text, ("create_user",), True, where)
    secrets = _text(backup, "secrets.yaml")
    both = text + secrets
    for path in url_templates():
        for part in (text, secrets):
            _check_template(part, path, where)
    if "db_host" not in both:
        secrets = _without(secrets, layout.seen(files["secrets.yaml"]), ("db_password",))
    changes: list[Change] = [_write(layout.seen(files["instance.yaml"]), text, 0o644)]
    if secrets:
        changes.append(_write(layout.seen(files["secrets.yaml"]), secrets, 0o600))
    kept = {key: value for key, value in _keys(backup).items() if key != "db_password"}
    lines = [f"{key}: {quoting.yaml(value)}\n" for key, value in kept.items()]
    changes.append(_write(layout.seen(files["keys.yaml"]), keys.HEADER + "".join(lines), 0o600))
    return changes


def _write(path: str, text: str, mode: int) -> WriteFile:
    return WriteFile(path, text.encode(), None, mode, "root", "root")


def _text(backup: Backup, file: str) -> str:
    return (backup.read(file) or b"").decode("utf-8")


def _keys(backup: Backup) -> dict[str, str]:
    root = document.parse(_text(backup, "keys.yaml"), "keys.yaml")
    values = document.plain(root) if root else {}
    return {key: str(value) for key, value in values.items()} if isinstance(values, dict) else {}


def _value(text: str, path: Path, where: str) -> object:
    root = document.parse(text, where) if text else None
    value: object = document.plain(root) if root else {}
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _without(text: str, where: str, names: tuple[str, ...]) -> str:
    """``text`` without some parameters; "" when nothing is left."""
    for name in names:
        value = _value(text, (name,), where)
        paths: list[Path] = [(name,)]
        if isinstance(value, dict):
            paths = [(name, key) for key in value]
        for path in paths if value is not None else ():
            root = document.parse(text, where)
            if root is not None and len(root.entries) == 1 and len(paths) == 1:
                return ""
            text = edit.unset(text, path, where)
    return text


def _check_template(text: str, path: Path, where: str) -> None:
    value = _value(text, path, where)
    if isinstance(value, str) and "%{db_name}" not in value:
        raise DeclarationError(
            f"{'.'.join(path)} of the backup names the original's own database",
            hint="write %{db_name} into it, make another backup, and restore that",
        )

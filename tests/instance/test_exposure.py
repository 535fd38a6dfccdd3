"""Open access is refused beyond loopback, whichever way it is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_instance import doctor
from airflow_instance.doctor.finding import ERROR, WARNING
from airflow_instance.errors import DeclarationError
from airflow_instance.site import Site
from airflow_instance.versions import parse, table

Declare = Callable[..., Path]

SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
MANAGER = f"airflow_config.core.auth_manager: {SIMPLE}"
ALL_ADMINS = "airflow_config.core.simple_auth_manager_all_admins"
VARIABLE = "environment_extra.AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"
ROLE = "airflow_config.fab.auth_role_public"
EXTRA = "webserver_config_extra"
OVERRIDE = "allow_open_access_beyond_loopback: true"
TWO, THREE = "/usr/lib/airflow", "/usr/lib/airflow-3.3"


def text(lines: tuple[str, ...], prefix: str, host: str) -> str:
    """The declaration whose leaves are ``lines``, KEY.KEY.KEY: VALUE each."""
    tree: dict[str, dict[str, dict[str, str]]] = {}
    said = f"installation: {prefix}\n"
    for line in (*lines, f"airflow_config.webserver.web_server_host: {host}"):
        path, _, value = line.partition(": ")
        *above, key = path.split(".")
        if above:
            section = above[1] if len(above) == 2 else ""
            tree.setdefault(above[0], {}).setdefault(section, {})[key] = value
        else:
            said += f"{key}: {value}\n"
    for group, sections in tree.items():
        said += f"{group}:\n"
        for section, options in sections.items():
            said += f"  {section}:\n" if section else ""
            indent = "    " if section else "  "
            said += "".join(f"{indent}{key}: {value}\n" for key, value in options.items())
    return said


@pytest.fixture
def view(site: Site, declare: Declare) -> Callable[..., None]:
    """Look at an instance with these lines."""

    def look(*lines: str, prefix: str = THREE, host: str = "0.0.0.0") -> None:
        declare("a", f"ensure: present\n{text(lines, prefix, host)}")
        site.view(site.load("a"))

    return look


OPEN = [
    (THREE, MANAGER, f"{ALL_ADMINS}: true"),
    (THREE, MANAGER, f'{ALL_ADMINS}: "T # for a demonstration"'),
    (THREE, MANAGER, "airflow_config.core.SIMPLE_AUTH_MANAGER_ALL_ADMINS: 1"),
    (THREE, MANAGER, f"{VARIABLE}: true"),
    # Airflow's own default is the simple one.
    (THREE, "airflow_config.core.auth_manager: ~", f"{ALL_ADMINS}: true"),
    (THREE, f"environment_extra.AIRFLOW__CORE__AUTH_MANAGER: {SIMPLE}", f"{ALL_ADMINS}: true"),
    (THREE, f"{ROLE}: Admin"),
    (THREE, "environment_extra.AIRFLOW__FAB__AUTH_ROLE_PUBLIC: Admin"),
    (THREE, f"{EXTRA}: AUTH_ROLE_PUBLIC = 'Admin'"),
    (TWO, f"{EXTRA}: AUTH_ROLE_PUBLIC = 'Admin'"),
    (TWO, f"{EXTRA}: 'AUTH_ROLE_PUBLIC: str = \"Admin\"'"),
    # What it comes to is known to nobody before it runs.
    (TWO, f"{EXTRA}: AUTH_ROLE_PUBLIC = AUTH_ROLE_ADMIN"),
]
CLOSED = [
    (THREE, MANAGER),
    (THREE, MANAGER, f"{ALL_ADMINS}: false"),
    # Each manager reads its own options only.
    (THREE, f"{ALL_ADMINS}: true"),
    (THREE, MANAGER, f"{ROLE}: Admin"),
    (THREE, MANAGER, f"{EXTRA}: AUTH_ROLE_PUBLIC = 'Admin'"),
    (THREE, f"{ROLE}: Viewer"),
    (TWO, f"{EXTRA}: AUTH_ROLE_PUBLIC = 'Viewer'"),
    (TWO, f"{EXTRA}: AUTH_ROLE_ADMIN = 'Admin'"),
    (TWO, f"{ROLE}: Admin"),
    # The environment is over airflow.cfg.
    (THREE, MANAGER, f"{ALL_ADMINS}: true", f"{VARIABLE}: false"),
]


@pytest.mark.parametrize("case", OPEN, ids=" + ".join)
def test_open_is_for_loopback_only(view: Callable[..., None], case: tuple[str, ...]) -> None:
    prefix, *lines = case
    with pytest.raises(DeclarationError, match="makes everyone who can reach it an Admin"):
        view(*lines, prefix=prefix)
    view(*lines, prefix=prefix, host="127.0.0.1")
    view(*lines, OVERRIDE, prefix=prefix)


@pytest.mark.parametrize("case", CLOSED, ids=" + ".join)
def test_what_asks_for_a_name_may_be_anywhere(
    view: Callable[..., None], case: tuple[str, ...]
) -> None:
    prefix, *lines = case
    view(*lines, prefix=prefix)


def test_the_refusal_says_where_and_what_to_do(view: Callable[..., None]) -> None:
    with pytest.raises(DeclarationError) as caught:
        view(MANAGER, f"{ALL_ADMINS}: true")
    assert str(caught.value) == (
        f"/etc/airflow/instances.d/a.yaml:6: {ALL_ADMINS}: true with a web server on 0.0.0.0 "
        "makes everyone who can reach it an Admin; bind 127.0.0.1, or take it away, or, when a "
        "proxy asks for names, allow_open_access_beyond_loopback: true"
    )


@pytest.mark.parametrize(
    ("line", "mend"),
    [
        (f"{ALL_ADMINS}: true", f"airflow-instance set a --unset {ALL_ADMINS} --apply"),
        (f"{VARIABLE}: true", f"airflow-instance set a --unset {VARIABLE} --apply"),
        ("web_access: open", "airflow-instance set a web_access=login --apply"),
    ],
)
@pytest.mark.parametrize(("host", "severity"), [("127.0.0.1", WARNING), ("0.0.0.0", ERROR)])
def test_doctor_finds_it(
    site: Site, declare: Declare, line: str, mend: str, host: str, severity: str
) -> None:
    declare("a", f"ensure: present\n{text((MANAGER, line, OVERRIDE), THREE, host)}")
    found = [f for f in doctor.examine(site, ["a"]) if f.check == "access"]
    assert [(f.severity, f.mend) for f in found] == [(severity, mend)]
    assert line in found[0].text


def test_doctor_finds_a_role_in_python(site: Site, declare: Declare) -> None:
    declare("a", f"ensure: present\n{EXTRA}: AUTH_ROLE_PUBLIC = 'Admin'\n")
    found = [f for f in doctor.examine(site, ["a"]) if f.check == "access"]
    assert [f.mend for f in found] == ["take it away, and airflow-instance apply a"]


def test_the_document_says_what_open_sets() -> None:
    """For each auth manager, and by which name to choose the other one."""
    document = Path(__file__).parents[2] / "docs" / "instances.md"
    section = document.read_text("utf-8").split("## Who may log in")[1].split("\n## ")[0]
    assert f"`{SIMPLE}`" in section
    opened = [row for row in table().settings if "open" in row.when.split()]
    newest = [row.option(parse("3.3.2")) for row in opened]
    assert len([option for option in newest if option]) == 2
    for option in newest:
        assert option is None or f"`{option[1]}`" in section

"""Names, ports and keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_instance import keys, names, ports, secrecy
from airflow_instance.errors import ConflictError, DeclarationError
from airflow_instance.leaves import Leaf
from airflow_instance.site import Site

from .conftest import Run


@pytest.mark.parametrize("name", ["a", "analytics", "analytics-test", "a1-b2", "a" * 24])
def test_good_names(name: str) -> None:
    assert names.check(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "-a", "a-", "a--b", "A", "a_b", "1a", "a b", "a.b", "a/b", "../a", "é", "a\n", "a" * 25],
)
def test_bad_names_get_the_rule(name: str) -> None:
    with pytest.raises(DeclarationError, match="lower-case letters"):
        names.check(name)


def test_reserved_and_mended_names() -> None:
    with pytest.raises(DeclarationError, match="reserved"):
        names.check("instance")
    with pytest.raises(DeclarationError, match="data-lake would do"):
        names.check("Data_Lake")
    assert names.database_name("analytics-test") == "analytics_test"


def test_blocks_go_to_who_comes_first(site: Site, run: Run) -> None:
    assert run("create", "one") == run("create", "two") == 0
    assert ports.load(site.layout, "one")["web"] == 8600
    assert ports.load(site.layout, "two")["web"] == 8610
    assert run("drop", "one") == 0
    assert run("create", "three") == 0
    assert ports.load(site.layout, "three")["web"] == 8600


@pytest.mark.parametrize("text", ["web: 70000\n", "web: 0\n", "web: x\n", "web: 1\nweb: 2\n"])
def test_a_file_of_ports_that_cannot_be_is_refused(site: Site, text: str) -> None:
    where = site.layout.ports_file("one")
    where.parent.mkdir(parents=True)
    for form in (f"{ports.HEADER}{text}", f"# by hand\n{text}"):
        where.write_text(form)
        with pytest.raises(DeclarationError, match="web"):
            ports.load(site.layout, "one")


def test_a_file_of_ports_may_be_written_by_hand(site: Site) -> None:
    where = site.layout.ports_file("one")
    where.parent.mkdir(parents=True)
    where.write_text("flower: 8604 # seen from outside\nweb: 8600\n")
    assert ports.load(site.layout, "one") == {"web": 8600, "flower": 8604}


def test_a_port_that_something_listens_on_is_skipped() -> None:
    found = ports.allocate({}, {}, [8615], 8600, lambda port: port != 8603)
    assert found["web"] == 8620
    with pytest.raises(ConflictError, match="port_range_start"):
        ports.allocate({}, {}, [], 64000, lambda port: False)


def test_what_was_allocated_stays() -> None:
    have = dict.fromkeys(ports.SLOTS, 1)
    assert ports.allocate(have, {}, [1], 8600, lambda port: False) == have


def test_fixed_ports_come_from_options_too() -> None:
    leaves = {
        ("airflow_config", "webserver", "web_server_port"): Leaf(9000, "f:1"),
        ("ports", "flower"): Leaf(9001, "f:2"),
    }
    found = ports.explicit(leaves)
    assert {slot: leaf.value for slot, leaf in found.items()} == {"web": 9000, "flower": 9001}


def test_keys_are_made_once(site: Site, run: Run, declare: Callable[..., Path]) -> None:
    assert run("create", "one") == 0
    path = site.layout.keys_file("one")
    before = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert run("apply") == 0
    assert path.read_bytes() == before
    # A new version needs another key: it is added, the others stay.
    assert run("set", "one", "installation=/usr/lib/airflow-3.3", "--apply") == 0
    after = path.read_bytes()
    assert after.startswith(before)
    assert b"jwt_secret" in after[len(before) :]
    # Dropped and created again, the instance can still read its database.
    assert run("drop", "one") == run("create", "one") == 0
    assert path.read_bytes() == after


def test_a_broken_key_file_is_never_made_anew(
    site: Site, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("create", "one") == 0
    path = site.layout.keys_file("one")
    path.write_text("fernet_key:\n")
    assert run("apply") == 3
    assert "put back the file from a backup" in capsys.readouterr().err
    assert path.read_text() == "fernet_key:\n"


def test_key_forms() -> None:
    assert len(keys.fernet()) == 44
    assert keys.token() != keys.token()
    text, found = keys.complete("", {}, [("fernet_key", "fernet")])
    assert found["fernet_key"] in text
    assert keys.complete(text, found, [("fernet_key", "fernet")]) == (text, found)


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("smtp_password", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("fernet_key", True),
        ("client_secret", True),
        ("smtp_password_secret", False),
        ("sql_alchemy_conn_cmd", False),
        ("web_server_ssl_key", False),
        ("secret_key", True),
        ("PGPASSWORD", True),
        ("MYSQL_PWD", True),
        ("PWD", False),
        ("flower_basic_auth", True),
        ("max_tokens", False),
    ],
)
def test_secret_names(name: str, secret: bool) -> None:
    assert secrecy.named_secret(name) is secret


def test_masks() -> None:
    url = "postgresql://u:p@h/d"
    assert secrecy.masked(("db_url",), url) == "postgresql://u:********@h/d"
    assert secrecy.masked(("connections", "a", "extra", "k"), "v") == secrecy.MASK
    url = "hive://h/?auth=LDAP&password=p&api_token=t#x"
    assert secrecy.exposed(("connections", "a"), url)
    shown = "hive://h/?auth=LDAP&password=********&api_token=********#x"
    assert secrecy.masked(("connections", "a"), url) == shown
    assert not secrecy.exposed(("connections", "a"), "hive://h/?password=%{db_password}&auth=LDAP")
    assert secrecy.mask_config_line("+fernet_key = abc") == "+fernet_key = ********"
    assert secrecy.mask_config_line("parallelism = 3") == "parallelism = 3"
    assert not secrecy.exposed(("db_url",), "postgresql://%{db_user}:%{db_password}@h/d")

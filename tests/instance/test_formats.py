"""Text that another program reads: it must read what was meant."""

from __future__ import annotations

import configparser
import string
import urllib.parse

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from airflow_instance import quoting
from airflow_instance.render import environment
from airflow_instance.render.airflow_cfg import value_text
from airflow_instance.url import Database, encode

PRINTABLE = st.text(st.characters(blacklist_categories=["Cs", "Cc"]))
QUOTES = ['a"b', "a'b", "\\", "a\\", "\\$", '\\"']
AWKWARD = [*QUOTES, "$HOME", "`id`", "100%", "é ü 漢 🙂", "#x", "a;b", ""]
# What Python takes for the end of a line, and neither systemd nor a shell does.
AWKWARD += ["a\u2028b", "a\u2029b"]


def shell_reads(quoted: str) -> str:
    """What POSIX says of a double-quoted word, without running a shell."""
    assert quoted[0] == quoted[-1] == '"'
    result, rest = "", quoted[1:-1]
    while rest:
        if rest[0] == "\\" and rest[1:2] in tuple('"\\$`'):
            result, rest = result + rest[1], rest[2:]
        else:
            # Unescaped, these would end the word or start an expansion.
            assert rest[0] not in '"$`'
            result, rest = result + rest[0], rest[1:]
    return result


@given(PRINTABLE | st.text(string.punctuation))
def test_environment_quoting(text: str) -> None:
    quoted = quoting.environment(text)
    assert shell_reads(quoted) == text
    assert environment.parse(f"A={quoted}\n") == {"A": text}


@pytest.mark.parametrize("text", AWKWARD)
def test_environment_quoting_of_awkward_values(text: str) -> None:
    quoted = quoting.environment(text)
    assert shell_reads(quoted) == text
    assert environment.parse(f"NAME={quoted}\n") == {"NAME": text}


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\x00b", "\x1b[0m"])
def test_environment_refuses_control_characters(text: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        quoting.environment(text)


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_yaml_quoting(text: str) -> None:
    assert yaml.safe_load(f"k: {quoting.yaml(text)}\n") == {"k": text}


@given(PRINTABLE.map(str.strip).filter(lambda text: not quoting.has_control(text)))
def test_airflow_cfg_values(text: str) -> None:
    if len(text.splitlines()) > 1:
        return  # the separators of Unicode, which a file read by lines would break at
    parser = configparser.ConfigParser()
    parser.read_string(f"[s]\nk = {value_text(text)}".rstrip() + "\n")
    assert parser.get("s", "k") == text


@given(PRINTABLE, PRINTABLE.filter(bool), PRINTABLE.filter(bool))
def test_database_url(password: str, user: str, name: str) -> None:
    database = Database("postgresql", "/h", name, user, password, "db.example.org", 5433)
    split = urllib.parse.urlsplit(database.url())
    assert urllib.parse.unquote(split.username or "") == user
    assert urllib.parse.unquote(split.password or "") == password
    assert (split.hostname, split.port) == ("db.example.org", 5433)
    assert urllib.parse.unquote(split.path[1:]) == name


def test_database_urls() -> None:
    assert Database("sqlite", "/srv/a", "n", "u").url() == "sqlite:////srv/a/airflow.db"
    assert (
        Database("mysql", "/h", "n", "u", "p@:/%", options={"ssl_ca": "/etc/ca.pem"}).url()
        == "mysql+mysqldb://u:p%40%3A%2F%25@localhost/n?charset=utf8mb4&ssl_ca=%2Fetc%2Fca.pem"
    )
    assert (
        Database("postgresql", "/h", "n", "u", host="/run/postgresql").url()
        == "postgresql+psycopg2://u@/n?host=%2Frun%2Fpostgresql"
    )
    assert Database("postgresql", "/h", "n", "u", host="::1").url().endswith("u@[::1]/n")
    assert encode("a b/ü") == "a%20b%2F%C3%BC"

"""Edits change one value and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_instance import edit
from airflow_instance.document import parse, plain
from airflow_instance.errors import DeclarationError, UsageError

FILE = """\
# Our instance.
ensure: present   # always

airflow_config:
  # tuned in March
  core:
    parallelism: 32  # per scheduler
    executor: 'LocalExecutor'

  smtp: {smtp_host: mail, smtp_port: 25}
empty:
webserver_config_extra: |
  A = 1

  B = 2

# the end
"""


def changed(path: str, value: object, text: str = FILE) -> list[tuple[str, str]]:
    """The lines of FILE that an edit replaced, with what it put there."""
    after = edit.set_value(text, edit.path_of(path), value, "f.yaml")  # type: ignore[arg-type]
    old, new = text.splitlines(), after.splitlines()
    assert len(old) == len(new)
    return [(a, b) for a, b in zip(old, new) if a != b]


def test_replaces_a_scalar_and_keeps_its_comment() -> None:
    assert changed("airflow_config.core.parallelism", 64) == [
        ("    parallelism: 32  # per scheduler", "    parallelism: 64  # per scheduler")
    ]
    assert changed("ensure", "absent") == [
        ("ensure: present   # always", "ensure: absent   # always")
    ]
    assert changed("airflow_config.core.executor", "CeleryExecutor") == [
        ("    executor: 'LocalExecutor'", "    executor: CeleryExecutor")
    ]
    assert changed("airflow_config.smtp.smtp_port", 587) == [
        ("  smtp: {smtp_host: mail, smtp_port: 25}", "  smtp: {smtp_host: mail, smtp_port: 587}")
    ]
    assert changed("empty", "x") == [("empty:", "empty: x")]


def test_inserts_behind_the_last_of_its_mapping() -> None:
    text = edit.set_value(FILE, ("airflow_config", "core", "load_examples"), True, "f")
    assert "    executor: 'LocalExecutor'\n    load_examples: true\n\n  smtp" in text
    text = edit.set_value(FILE, ("airflow_config", "webserver", "page_size"), 10, "f")
    assert "smtp_port: 25}\n  webserver:\n    page_size: 10\nempty:\n" in text
    text = edit.set_value(FILE, ("db",), "mysql", "f")
    assert "  B = 2\ndb: mysql\n\n# the end\n" in text
    text = edit.set_value(FILE, ("empty", "a"), "b", "f")
    assert "empty:\n  a: b\nwebserver" in text


def test_sets_in_an_empty_file() -> None:
    assert edit.set_value("", ("db",), "mysql", "f") == "db: mysql\n"
    assert edit.set_value("# c", ("ports", "web"), 1, "f") == "# c\nports:\n  web: 1\n"


def test_keeps_line_ends_and_byte_order_mark() -> None:
    text = "\ufeffensure: present\r\ndb: sqlite"
    assert edit.set_value(text, ("ensure",), "absent", "f") == "\ufeffensure: absent\r\ndb: sqlite"
    assert edit.set_value(text, ("db_port",), 1, "f").endswith("db: sqlite\r\ndb_port: 1\r\n")


def test_unset_takes_the_lines_of_one_value() -> None:
    text = edit.unset(FILE, ("airflow_config", "core", "parallelism"), "f")
    assert text == FILE.replace("    parallelism: 32  # per scheduler\n", "")
    text = edit.unset(FILE, ("webserver_config_extra",), "f")
    assert text == FILE.replace("webserver_config_extra: |\n  A = 1\n\n  B = 2\n", "")
    assert edit.unset("a: 1\nb:\n  c: 2\n", ("b", "c"), "f") == "a: 1\n"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("webserver_config_extra", "it has several lines"),
        ("airflow_config.core", "it has keys of its own"),
        ("airflow_config.smtp.smtp_user", "it is written in {…} form"),
        ("ensure.deeper", "ensure is a value, not a mapping"),
    ],
)
def test_refuses_what_it_cannot_do_safely(path: str, message: str) -> None:
    keys = tuple(path.split("."))
    with pytest.raises(DeclarationError, match="cannot be changed by a command") as caught:
        edit.set_value(FILE, keys, "x", "/etc/f.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("/etc/f.yaml:")


def test_unset_refuses_what_is_not_there_or_all_there_is() -> None:
    with pytest.raises(DeclarationError, match="is not set there"):
        edit.unset(FILE, ("db",), "f")
    with pytest.raises(DeclarationError, match="nothing would be left"):
        edit.unset("db: mysql\n", ("db",), "f")
    with pytest.raises(DeclarationError, match="form"):
        edit.unset(FILE, ("airflow_config", "smtp", "smtp_port"), "f")


@given(st.text(st.characters(blacklist_categories=["Cs"])) | st.integers() | st.booleans())
def test_any_value_is_read_back(value: object) -> None:
    if isinstance(value, int) and len(str(value)) > 20:
        return
    for path in ("ensure",), ("airflow_config", "core", "parallelism"), ("new", "deep"):
        text = edit.set_value(FILE, path, value, "f")  # type: ignore[arg-type]
        root = parse(text, "f")
        assert root is not None
        place: object = plain(root)
        for key in path:
            assert isinstance(place, dict)
            place = place[key]
        assert place == value
        assert type(place) is type(value)
        comments = [line for line in FILE.splitlines() if line.lstrip().startswith("#")]
        assert [line for line in text.splitlines() if line.lstrip().startswith("#")] == comments


def test_paths() -> None:
    assert edit.path_of("airflow_config.core.a.b") == ("airflow_config", "core", "a.b")
    assert edit.path_of("environment_extra.A") == ("environment_extra", "A")
    with pytest.raises(UsageError):
        edit.path_of("airflow_config.")


def test_types_follow_the_schema() -> None:
    assert edit.typed(("db_password",), "1234") == "1234"
    assert edit.typed(("clean_logs_older_than_days",), "30") == 30
    assert edit.typed(("create_user",), "yes") is True
    assert edit.typed(("airflow_config", "core", "x"), "0644") == "0644"
    assert edit.typed(("airflow_config", "core", "x"), "") == ""

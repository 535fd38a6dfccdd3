"""Databases on this host's servers: what is asked of them, and what is done to them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_instance import database, heads
from airflow_instance.database import client, scram
from airflow_instance.database.client import Said
from airflow_instance.database.mysql import MySQL
from airflow_instance.database.postgresql import PostgreSQL
from airflow_instance.errors import ConflictError, HostError
from airflow_instance.items import DatabaseItem
from airflow_instance.site import Site
from airflow_instance.versions import Migrations, parse, table

from .conftest import Run, snapshot
from .fake_database import HEAD, OLD, UNKNOWN, FakeDatabases

PASSWORD = "@ / : % ' \" \\ é $`x`"
USER = "it's \"u` %x"
ITEM = DatabaseItem(
    kind="postgresql",
    name="a_b",
    user=USER,
    password=PASSWORD,
    host="localhost",
    port=None,
    account="airflow-a",
    origin="a.yaml:1",
)
PG_FACTS = {
    "port": "5432",
    "role": {"superuser": False, "login": True},
    "database": {"encoding": "UTF8"},
    "may": True,
}
MARIA_FACTS = ["10.5.29-MariaDB-0", "1", "0", "1", "0", "localhost", "utf8mb4"]


class Clients:
    """psql and mariadb: what they were called with, and what they answer in turn."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Sequence[str], str, Mapping[str, str]]] = []
        self.look = ""
        self.login = Said(0, "1\n", "")
        self.said = Said(0, "", "")
        self.missing = False
        patch.setattr(client, "run", self.run)
        patch.setattr("shutil.which", lambda name, path: f"/usr/bin/{name}")

    def run(
        self,
        command: Sequence[str],
        text: str = "",
        *,
        user: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> Said:
        assert not any(PASSWORD in word for word in command)
        self.calls.append((command, text, variables or {}))
        if "json_build_object" in text or "@@GLOBAL" in text:
            return Said(0, self.look, "")
        if variables:
            return self.login
        return self.said

    @property
    def told(self) -> str:
        """All SQL that changed something."""
        return "\n".join(text for _, text, _ in self.calls if "json_build" not in text)


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Clients:
    return Clients(monkeypatch)


def test_a_verifier_is_what_postgresql_makes() -> None:
    # What PostgreSQL 13 kept of this password, with the salt that it took.
    kept = (
        "SCRAM-SHA-256$4096:ITdZGFT2rqkxJ+VULKiwFw==$"
        "BNmjH93fcxQ9t0r3A5X7jUUiejHfmKzlA44kqYANmVs=:RCl9J0IXfMUWBrftSddvJFtwDgVRLsQ23+Y9gDim6H0="
    )
    salt = base64.b64decode("ITdZGFT2rqkxJ+VULKiwFw==")
    assert scram.verifier("p\u00e9n  cil\u0301", salt) == kept
    assert scram.verifier("x") != scram.verifier("x")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("plain", "plain"),
        ("e\u0301", "\u00e9"),  # composed
        ("a\u00a0b", "a b"),  # a space that is none
        ("a\u00adb", "ab"),  # a soft hyphen
        ("a\u0007", "a\u0007"),  # a control character: as it was typed
        ("\u0627\u0031", "\u0627\u0031"),  # half right-to-left: as it was typed
    ],
)
def test_passwords_are_prepared_as_the_client_library_does(typed: str, meant: str) -> None:
    assert scram.prepared(typed) == meant


def test_postgresql_is_told_no_password(clients: Clients) -> None:
    clients.look = json.dumps({**PG_FACTS, "role": None, "database": None, "may": None})
    server = PostgreSQL()
    assert server.look(ITEM) == database.Found(role=False, database=False, fits=False)
    server.create_role(ITEM)
    server.create_database(ITEM)
    server.set_password(ITEM)
    assert PASSWORD not in clients.told
    assert "SCRAM-SHA-256$" in clients.told
    assert 'CREATE ROLE "it\'s ""u` %x" LOGIN PASSWORD' in clients.told
    assert 'REVOKE ALL ON DATABASE "a_b" FROM PUBLIC' in clients.told
    assert all("SET log_statement = 'none'" in text for _, text, _ in clients.calls if text)


def test_mariadb_is_told_no_password(clients: Clients) -> None:
    clients.look = "\t".join([*MARIA_FACTS[:5], "", ""])
    item, server = replace(ITEM, kind="mysql"), MySQL()
    assert server.look(item) == database.Found(role=False, database=False, fits=False)
    server.create_role(item)
    server.create_database(item)
    once = hashlib.sha1(PASSWORD.encode()).digest()  # noqa: S324 - the server's own form
    assert f"'*{hashlib.sha1(once).hexdigest().upper()}'" in clients.told  # noqa: S324
    assert PASSWORD not in clients.told
    assert "CREATE USER `it's \"u`` %x`@`localhost`" in clients.told
    # In a grant _ stands for every character.
    assert "ON `a\\_b`.*" in clients.told
    assert "utf8mb4_bin" in clients.told


def test_the_password_is_tried(clients: Clients) -> None:
    clients.look = json.dumps(PG_FACTS)
    assert PostgreSQL().look(ITEM).fits
    command, _, variables = clients.calls[-1]
    assert variables["PGPASSWORD"] == PASSWORD
    assert command[-1] == "SELECT 1"
    clients.login = Said(2, "", "FATAL: password authentication failed\nmore\n")
    assert not PostgreSQL().look(ITEM).fits
    with pytest.raises(HostError, match=r"does not let .* in: FATAL: password auth") as caught:
        PostgreSQL().check(ITEM)
    assert "pg_hba.conf" in caught.value.hint


@pytest.mark.parametrize(
    ("facts", "error", "message"),
    [
        ({"role": {"superuser": True, "login": True}}, ConflictError, "is a superuser"),
        ({"role": {"superuser": False, "login": False}}, ConflictError, "cannot log in"),
        ({"role": None}, ConflictError, "but no user"),
        ({"database": {"encoding": "LATIN1"}}, ConflictError, "LATIN1, not in UTF8"),
        ({"may": False}, ConflictError, "database a_b is not"),
        ({"port": "5433"}, HostError, "port is 5433, not 5432; set db_port: 5433"),
    ],
)
def test_postgresql_refuses(
    facts: dict[str, object], error: type[Exception], message: str, clients: Clients
) -> None:
    clients.look = json.dumps({**PG_FACTS, **facts})
    with pytest.raises(error, match=message):
        PostgreSQL().look(ITEM)


@pytest.mark.parametrize(
    ("place", "value", "error", "message"),
    [
        (1, "0", HostError, "explicit_defaults_for_timestamp off"),
        (3, "0", HostError, "no utf8mb4"),
        (4, "1", ConflictError, "may do everything"),
        (5, "", ConflictError, "but no user"),
        (6, "latin1", ConflictError, "latin1, not in utf8mb4"),
    ],
)
def test_mariadb_refuses(
    place: int, value: str, error: type[Exception], message: str, clients: Clients
) -> None:
    facts = [*MARIA_FACTS]
    facts[place] = value
    clients.look = "\t".join(facts)
    with pytest.raises(error, match=message) as caught:
        MySQL().look(replace(ITEM, kind="mysql"))
    if place == 1:
        assert "/etc/mysql/mariadb.conf.d/99-airflow.cnf" in str(caught.value)


def test_root_of_mariadb_is_no_instances(clients: Clients) -> None:
    clients.look = "\t".join(MARIA_FACTS)
    with pytest.raises(ConflictError, match="may do everything"):
        MySQL().look(replace(ITEM, kind="mysql", user="root"))


def test_a_server_that_is_down_or_not_there(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients.said = Said(2, "", "psql: error: could not connect\n")
    with pytest.raises(HostError, match=r"could not connect; systemctl start postgresql"):
        PostgreSQL().drop_role(ITEM)
    clients.said = Said(1, "", "ERROR 2002 (HY000): Can't connect\n")
    with pytest.raises(HostError, match="systemctl start mariadb"):
        MySQL().put_back_password(replace(ITEM, kind="mysql"), "CREATE USER x")
    monkeypatch.setattr("shutil.which", lambda name, path: None)
    with pytest.raises(HostError, match="apt install postgresql,"):
        PostgreSQL().look(ITEM)
    with pytest.raises(HostError, match="apt install mariadb-server"):
        MySQL().look(replace(ITEM, kind="mysql"))


def test_create_makes_role_and_database_once(
    run: Run, root: Path, capsys: pytest.CaptureFixture[str], declare: Callable[..., Path]
) -> None:
    declare("a", "db_password: hunter2\n", "secrets")
    assert run("create", "a", "--db", "postgresql", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "a: would create postgresql user airflow_a\n" in said
    assert "a: would create postgresql database a of airflow_a\n" in said
    servers = root / "var/lib/airflow-instances/paper-databases.json"
    assert not servers.exists()
    assert run("create", "a", "--db", "postgresql") == 0
    known = json.loads(servers.read_text())["postgresql"]
    assert set(known["roles"]) == {"airflow_a"}
    assert known["databases"] == {"a": "airflow_a"}
    before = snapshot(root)
    assert run("apply", "--detailed-exitcode") == 2
    assert snapshot(root) == before
    # Somebody sets another password.
    declare("a", "db_password: other\n", "secrets")
    capsys.readouterr()
    assert run("apply") == 0
    assert "set the password of postgresql user airflow_a" in capsys.readouterr().out
    assert run("apply", "--detailed-exitcode") == 2


def test_a_failing_create_leaves_no_database(
    run: Run, root: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise HostError("no")

    monkeypatch.setattr(type(site.tree), "link", fail)
    assert run("create", "a", "--db", "mysql") == 7
    servers = json.loads((root / "var/lib/airflow-instances/paper-databases.json").read_text())
    assert servers == {"mysql": {"roles": {}, "databases": {}}}
    assert not (root / "etc/airflow/keys.d/a.yaml").exists()


def test_someone_elses_database_is_left_alone(run: Run, root: Path) -> None:
    servers = root / "var/lib/airflow-instances/paper-databases.json"
    servers.parent.mkdir(parents=True)
    text = '{"postgresql": {"roles": {}, "databases": {"a": "wordpress"}}}'
    servers.write_text(text)
    assert run("create", "a", "--db", "postgresql") == 6
    assert servers.read_text() == text


@pytest.mark.parametrize("host", ["127.0.0.1", "/run/postgresql", "::1"])
def test_two_instances_share_no_database_and_no_user(
    host: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("create", "a", "--db", "postgresql") == 0
    words = ("create", "b", "--db", "postgresql", "--set", f"db_host={host}", "--set")
    assert run(*words, "db_name=a") == 6
    assert "the database a is a's already" in capsys.readouterr().err
    assert run(*words, "db_user=airflow_a") == 6
    assert "the database user airflow_a is a's already" in capsys.readouterr().err
    assert run(*words, "db_port=5433") == 0


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (("--db", "sqlite"), []),
        (("--db", "mysql"), ["mysql"]),
        (("--db", "mysql", "--set", "db_host=db.example.org"), []),
        (("--db", "postgresql", "--set", "db_host=/run/postgresql"), ["postgresql"]),
        (("--db", "postgresql", "--set", "db_url=postgresql://u@localhost/d"), []),
    ],
)
def test_only_this_hosts_own_servers_are_asked(
    words: tuple[str, ...], kinds: list[str], run: Run, site: Site
) -> None:
    assert run("create", "a", *words) == 0
    item = database.item(site.view(site.load("a")))
    assert ([item.kind] if item else []) == kinds


def test_ids_fit_into_an_index_of_mysql(run: Run, root: Path) -> None:
    option = "sql_engine_collation_for_ids = utf8_bin"
    run("create", "a", "--db", "mysql")
    run("create", "b", "--db", "postgresql")
    run("create", "c", "--set", "db_url=mysql+mysqldb://u@db.example.org/%{db_name}")
    found = {n: option in (root / f"srv/airflow-{n}/airflow.cfg").read_text() for n in "abc"}
    assert found == {"a": True, "b": False, "c": True}


# How a database stands to its installation.


@pytest.mark.parametrize(
    ("revision", "state"),
    [(None, heads.FRESH), (OLD, heads.PENDING), (HEAD, heads.CURRENT), (UNKNOWN, heads.AHEAD)],
)
def test_state(
    revision: str | None,
    state: str,
    run: Run,
    site: Site,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = FakeDatabases(root, monkeypatch)
    run("create", "a")
    fake.revision["a"] = revision
    found = heads.state(site, site.view(site.load("a")))
    assert (found.state, found.wanted) == (state, (HEAD,))
    fake.unreachable = "no route"
    assert heads.state(site, site.view(site.load("a"))) == heads.Schema(
        heads.UNREACHABLE, reason="no route"
    )


def test_the_auth_managers_tables_have_migrations_of_their_own(
    run: Run, site: Site, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeDatabases(root, monkeypatch)
    place = next((root / "usr/lib/airflow-3.3").glob("lib/*/site-packages")) / "airflow/providers"
    (place / "fab/migrations/versions").mkdir(parents=True)
    (place / "fab/migrations/versions/1.py").write_text("revision = 'fab'\ndown_revision = None\n")
    run("create", "a", "--installation", "/usr/lib/airflow-3.3")
    fake.revision["a"] = HEAD
    found = heads.state(site, site.view(site.load("a")))
    assert (found.state, found.wanted) == (heads.PENDING, (HEAD, "fab"))
    manager = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
    run("set", "a", f"airflow_config.core.auth_manager={manager}")
    assert heads.state(site, site.view(site.load("a"))).state == heads.CURRENT


def test_all_forms_of_migrations_are_read(site: Site, root: Path, run: Run) -> None:
    packages = next((root / "usr/lib/airflow").glob("lib/*/site-packages"))
    place = packages / "some/versions"
    place.mkdir(parents=True)
    forms = (
        "revision = '1'\ndown_revision = None\n",
        'revision = "2"\ndown_revision = "1"\n',
        "revision: str = '3'\ndown_revision: str | None = '1'  # why\n",
        "revision = 'm'\ndown_revision = ('2',\n    '3')\nbranch_labels = None\n",
        "revision = 'n'\ndown_revision = ['m']\n",
        "def upgrade():\n    revision = 'no'\n",
    )
    for number, text in enumerate(forms):
        (place / f"{number}.py").write_text(text)
    run("create", "a")
    installation = site.view(site.load("a")).installation
    found = heads.revisions(installation, Migrations("some/versions", "t", "2.1", ""))
    assert set(found.known) == {"1", "2", "3", "m", "n"}
    assert set(found.heads) == {"n"}


def test_every_version_has_airflows_own_migrations_first() -> None:
    for version in ("2.1.0", "2.11.2", "3.0.0", "3.3.2"):
        rows = table().migrations_of(parse(version), frozenset(["fab"]))
        assert rows[0].table == "alembic_version"
        assert [row.optional for row in rows] == [False, True][: len(rows)]
        assert (len(rows) == 2) is version.startswith("3")

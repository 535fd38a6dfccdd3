"""MariaDB, or MySQL, on this host, as its root over the socket."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ..errors import ConflictError, HostError
from ..items import DatabaseItem
from . import Found, client, orphan

_SYSTEM_USERS = frozenset(["root", "mysql", "mariadb.sys", "mysql.sys", "mysql.session", ""])
# Four bytes a character, and A is not a: what people call things is kept as they wrote it.
_CHARSET, _COLLATION = "utf8mb4", "utf8mb4_bin"
_UTF8 = ("utf8", "utf8mb3", "utf8mb4")
# What is one value of a row; JSON_OBJECT quotes some numbers and not some words.
_LOOK = """\
SELECT VERSION(), @@GLOBAL.explicit_defaults_for_timestamp + 0, @@GLOBAL.skip_name_resolve + 0,
  (SELECT COUNT(*) FROM information_schema.collations WHERE collation_name = '{collation}'),
  (SELECT COUNT(*) FROM mysql.user WHERE User = {user} AND Super_priv = 'Y'),
  (SELECT IFNULL(GROUP_CONCAT(Host SEPARATOR ' '), '') FROM mysql.user WHERE User = {user}),
  IFNULL((SELECT default_character_set_name FROM information_schema.schemata
          WHERE schema_name = {name}), '');
"""


@dataclass(frozen=True)
class Facts:
    """What the server says of itself, and of an item."""

    maria: bool
    timestamps: bool  # explicit_defaults_for_timestamp is on
    names: bool  # who comes from 127.0.0.1 comes from localhost
    charset: bool
    everything: bool  # the user may do everything
    hosts: frozenset[str]  # that the user may come from
    database: str  # its character set; "" when it is not there


class MySQL:
    """The server. An account is a user and where it comes from: here this host."""

    def look(self, item: DatabaseItem) -> Found:
        found = self._look(item)
        if not found.timestamps:
            product, folder, unit = (
                ("MariaDB", "mariadb.conf.d", "mariadb")
                if found.maria
                else ("MySQL", "conf.d", "mysql")
            )
            raise HostError(
                f"{item.origin}: {product} has explicit_defaults_for_"
                "timestamp off, which Airflow cannot do with",
                hint="write the lines [mysqld] and explicit_defaults_for_timestamp = 1 to "
                f"/etc/mysql/{folder}/99-airflow.cnf, then systemctl restart {unit}",
            )
        if not found.charset:
            raise HostError(
                f"{item.origin}: the database server has no {_CHARSET}",
                hint="install a newer one",
            )
        if item.user in _SYSTEM_USERS or found.everything:
            raise ConflictError(
                f"{item.origin}: the database user {item.user} may do everything there",
                hint="give the instance a db_user of its own",
            )
        charset = found.database
        if charset and charset not in _UTF8:
            raise ConflictError(
                f"{item.origin}: the database {item.name} is in {charset}, not in {_CHARSET}",
                hint="give the instance another db_name",
            )
        role = _host(item, found) in found.hosts
        if charset and not role:
            raise orphan(item)
        fits = role and not self._refusal(item, item.name if charset else "")
        return Found(role=role, database=bool(charset), fits=fits)

    def create_role(self, item: DatabaseItem) -> None:
        self._tell(item, f"CREATE USER {self._account(item)} IDENTIFIED {self._password(item)};")

    def drop_role(self, item: DatabaseItem) -> None:
        self._tell(item, f"DROP USER {self._account(item)};")

    def set_password(self, item: DatabaseItem) -> str:
        account = self._account(item)
        kept = self._tell(item, f"SHOW CREATE USER {account};")
        self._tell(item, f"ALTER USER {account} IDENTIFIED {self._password(item)};")
        return kept.strip()

    def put_back_password(self, item: DatabaseItem, kept: str) -> None:
        self._tell(item, kept.replace("CREATE USER", "ALTER USER", 1) + ";")

    def create_database(self, item: DatabaseItem) -> None:
        name = _identifier(item.name)
        text = f"CREATE DATABASE {name} CHARACTER SET {_CHARSET} COLLATE {_COLLATION};"
        self._tell(item, f"{text}\n{self._grant(item)}")

    def drop_database(self, item: DatabaseItem) -> None:
        self._tell(item, f"DROP DATABASE {_identifier(item.name)};")

    def check(self, item: DatabaseItem) -> None:
        refusal = self._refusal(item, item.name)
        if refusal:
            raise HostError(
                f"the database server does not let {item.user} in: {refusal}",
                hint="see what accounts and grants it has for this user",
            )

    def _look(self, item: DatabaseItem) -> Facts:
        text = _LOOK.format(
            user=_literal(item.user), name=_literal(item.name), collation=_COLLATION
        )
        row = self._tell(item, text).rstrip("\n").split("\t")
        return Facts(
            maria="MariaDB" in row[0],
            timestamps=row[1] != "0",
            names=row[2] == "0",
            charset=row[3] != "0",
            everything=row[4] != "0",
            hosts=frozenset(row[5].split(" ")),
            database=row[6],
        )

    def _account(self, item: DatabaseItem) -> str:
        return f"{_identifier(item.user)}@{_identifier(_host(item, self._look(item)))}"

    def _grant(self, item: DatabaseItem) -> str:
        # In the name of a grant _ and % stand for others, so that analytics_test
        # would also be analytics2test.
        name = item.name.replace("_", "\\_").replace("%", "\\%")
        return f"GRANT ALL PRIVILEGES ON {_identifier(name)}.* TO {self._account(item)};"

    def _password(self, item: DatabaseItem) -> str:
        """The password as a statement has it: hashed, where the server takes that."""
        if self._look(item).maria:
            once = hashlib.sha1(item.password.encode()).digest()  # noqa: S324 - its own form
            return f"BY PASSWORD '*{hashlib.sha1(once).hexdigest().upper()}'"  # noqa: S324
        # MySQL has no hash that every version takes; it leaves passwords out of its logs.
        text = item.password.replace("\\", "\\\\").replace("'", "\\'")
        return f"BY '{text}'"

    def _tell(self, item: DatabaseItem, statements: str) -> str:
        """Run SQL as the administrator; what it printed."""
        command = [_client(), "--batch", "--raw", "--skip-column-names", "--protocol=socket"]
        command += [f"--default-character-set={_CHARSET}", "--user=root"]
        if item.host.startswith("/"):
            command.append(f"--socket={item.host}")
        done = client.run(command, statements)
        if done.status != 0 and "ERROR 20" in done.err:  # CR_…: no connection
            raise HostError(
                f"the database server on this host does not answer: {done.words}",
                hint="systemctl start mariadb",
            )
        if done.status != 0:
            raise HostError(f"the database server refused: {done.words}")
        return done.out

    def _refusal(self, item: DatabaseItem, database: str) -> str:
        """Why the user does not get in with its password; "" when it does."""
        if item.host.startswith("/"):
            place = ["--protocol=socket", f"--socket={item.host}"]
        elif item.host == "localhost":
            place = ["--protocol=socket"]  # as the driver has it
        else:
            place = ["--protocol=tcp", f"--host={item.host}", f"--port={item.port or 3306}"]
        command = [_client(), "--no-defaults", *place, f"--user={item.user}"]
        command += ["--connect-timeout=10", "--execute=SELECT 1", *([database] if database else [])]
        try:
            done = client.run(command, variables={"MYSQL_PWD": item.password})
        except HostError as error:
            return error.message
        return "" if done.status == 0 else done.words


def _client() -> str:
    return client.find(["mariadb", "mysql"], server="MariaDB", package="mariadb-server")


def _host(item: DatabaseItem, found: Facts) -> str:
    """Where the server sees the user come from."""
    if item.host.startswith("/") or found.names:
        return "localhost"
    return item.host


def _literal(text: str) -> str:
    """A text as bytes, which no setting of the server reads differently."""
    return f"CONVERT(X'{text.encode().hex()}' USING utf8mb4)"


def _identifier(text: str) -> str:
    return "`" + text.replace("`", "``") + "`"

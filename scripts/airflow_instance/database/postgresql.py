"""PostgreSQL on this host, as its user postgres."""

from __future__ import annotations

import json
from typing import Any, cast

from ..errors import ConflictError, HostError
from ..items import DatabaseItem
from . import Found, client, orphan, scram

_ADMIN = "postgres"
_PORT = 5432
# Statements have verifiers in them, no passwords; even so they are nobody's business.
_QUIET = """\
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SET standard_conforming_strings = on;
"""
_LOOK = """\
SELECT json_build_object(
  'port', current_setting('port'),
  'role', (SELECT json_build_object('superuser', rolsuper, 'login', rolcanlogin)
           FROM pg_roles WHERE rolname = {role}),
  'database', (SELECT json_build_object('encoding', pg_encoding_to_char(encoding))
               FROM pg_database WHERE datname = {name}),
  'may', (SELECT has_database_privilege(r.oid, d.oid, 'CONNECT')
          FROM pg_roles r, pg_database d WHERE r.rolname = {role} AND d.datname = {name}));
"""
# Where the cluster itself is not in UTF-8, only the C locale goes with it.
_CREATE = """\
SELECT format('CREATE DATABASE %I OWNER %I ENCODING ''UTF8'' TEMPLATE template0%s',
              {name}, {role},
              CASE WHEN pg_encoding_to_char(encoding) = 'UTF8' THEN ''
                   ELSE ' LC_COLLATE ''C'' LC_CTYPE ''C''' END)
  FROM pg_database WHERE datname = 'template0' \\gexec
REVOKE ALL ON DATABASE {name_id} FROM PUBLIC;
"""
_DROP = """\
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {name};
DROP DATABASE {name_id};
"""


class PostgreSQL:
    """The server; an item's host and port say which of several."""

    def look(self, item: DatabaseItem) -> Found:
        text = self._tell(item, _LOOK)
        found = cast("dict[str, Any]", json.loads(text))
        role, database = found["role"], found["database"]
        where = f"{item.origin}: PostgreSQL's"
        if role and role["superuser"]:
            raise ConflictError(
                f"{where} role {item.user} is a superuser",
                hint="give the instance a db_user of its own",
            )
        if role and not role["login"]:
            raise ConflictError(
                f"{where} role {item.user} cannot log in", hint="give the instance another db_user"
            )
        if database and not role:
            raise orphan(item)
        if database and database["encoding"] != "UTF8":
            raise ConflictError(
                f"{where} database {item.name} is in {database['encoding']}, not in UTF8",
                hint="give the instance another db_name",
            )
        if role and database and not found["may"]:
            raise ConflictError(
                f"{where} database {item.name} is not {item.user}'s",
                hint="give the instance another db_name, or, if it is the instance's, "
                f'ALTER DATABASE "{item.name}" OWNER TO "{item.user}"',
            )
        if not item.host.startswith("/") and str(item.port or _PORT) != found["port"]:
            raise HostError(
                f"{item.origin}: PostgreSQL's port is {found['port']}, not {item.port or _PORT}",
                hint=f"set db_port: {found['port']}",
            )
        fits = bool(role) and not self._refusal(item, item.name if database else "postgres")
        return Found(role=bool(role), database=bool(database), fits=fits)

    def create_role(self, item: DatabaseItem) -> None:
        self._tell(item, "CREATE ROLE {role_id} LOGIN PASSWORD {verifier};")

    def drop_role(self, item: DatabaseItem) -> None:
        self._tell(item, "DROP ROLE {role_id};")

    def set_password(self, item: DatabaseItem) -> str:
        kept = self._tell(item, "SELECT rolpassword FROM pg_authid WHERE rolname = {role};")
        self._tell(item, "ALTER ROLE {role_id} PASSWORD {verifier};")
        return kept.rstrip("\n")

    def put_back_password(self, item: DatabaseItem, kept: str) -> None:
        self._tell(item, "ALTER ROLE {role_id} PASSWORD " + (_literal(kept) if kept else "NULL"))

    def create_database(self, item: DatabaseItem) -> None:
        self._tell(item, _CREATE)

    def drop_database(self, item: DatabaseItem) -> None:
        self._tell(item, _DROP)

    def check(self, item: DatabaseItem) -> None:
        refusal = self._refusal(item, item.name)
        if refusal:
            hint = "see pg_hba.conf; it has to ask for a password where the instance connects"
            if item.host.startswith("/") and item.user != item.account:
                hint = f"set db_user: {item.account}, whom it knows over its socket, or {hint}"
            raise HostError(f"PostgreSQL does not let {item.user} in: {refusal}", hint=hint)

    def _tell(self, item: DatabaseItem, statement: str) -> str:
        """Run SQL as the administrator; what it printed."""
        psql = client.find(["psql"], server="PostgreSQL", package="postgresql")
        command = [psql, "-XqAtw", "-v", "ON_ERROR_STOP=1", "-d", "postgres"]
        if item.host.startswith("/"):
            command += ["-h", item.host]
        if item.port:
            command += ["-p", str(item.port)]
        text = statement.format(
            role=_literal(item.user),
            role_id=_identifier(item.user),
            name=_literal(item.name),
            name_id=_identifier(item.name),
            verifier=_literal(scram.verifier(item.password)) if "{verifier}" in statement else "",
        )
        done = client.run(command, _QUIET + text, user=_ADMIN)
        if done.status == 2:  # no connection
            raise HostError(
                f"PostgreSQL on this host does not answer: {done.words}",
                hint="systemctl start postgresql",
            )
        if done.status != 0:
            raise HostError(f"PostgreSQL refused: {done.words}")
        return done.out

    def _refusal(self, item: DatabaseItem, database: str) -> str:
        """Why the user does not get in with its password; "" when it does."""
        psql = client.find(["psql"], server="PostgreSQL", package="postgresql")
        place = ["-h", item.host, "-p", str(item.port or _PORT), "-U", item.user, "-d", database]
        # Over a socket it may count who asks.
        account = item.account if item.host.startswith("/") else ""
        variables = {"PGPASSWORD": item.password, "PGCONNECT_TIMEOUT": "10"}
        try:
            done = client.run(
                [psql, "-XqAtw", *place, "-c", "SELECT 1"], user=account, variables=variables
            )
        except HostError as error:
            return error.message
        return "" if done.status == 0 else done.words


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _identifier(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'

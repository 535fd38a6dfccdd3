"""What an instance comes to, and its files."""

from __future__ import annotations

import configparser
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from airflow_instance.errors import DeclarationError
from airflow_instance.instance import Instance
from airflow_instance.render import (
    airflow_cfg,
    connections_yaml,
    environment,
    is_managed,
    webserver_config,
)
from airflow_instance.site import Site

from .conftest import Run

Make = Callable[..., Instance]


@pytest.fixture
def make(site: Site, declare: Callable[..., Path]) -> Make:
    """The instance of a declaration, with its secrets and the site's defaults."""

    def instance(text: str, secrets: str = "", defaults: str = "") -> Instance:
        declare("team-a", f"ensure: present\n{text}")
        declare("team-a", secrets, "secrets")
        declare("", defaults, "defaults")
        declared = site.load("team-a")
        made, _ = site._prepare(declared)
        return made

    return instance


def config(instance: Instance) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read_string(airflow_cfg.render(instance))
    return parser


def test_defaults_of_airflow_2(make: Make) -> None:
    found = config(make(""))
    assert found["core"]["executor"] == "SequentialExecutor"
    assert found["core"]["load_examples"] == "False"
    assert found["core"]["dags_folder"] == "/srv/airflow-team-a/dags"
    assert found["database"]["sql_alchemy_conn"] == "sqlite:////srv/airflow-team-a/airflow.db"
    assert found["webserver"]["web_server_host"] == "127.0.0.1"
    assert found["webserver"]["web_server_port"] == "8600"
    assert found["webserver"]["base_url"] == "http://127.0.0.1:8600"
    assert found["webserver"]["instance_name"] == "team-a"
    assert found["scheduler"]["parsing_processes"] == "4"
    assert len(found["core"]["fernet_key"]) == 44
    assert not found.has_section("kerberos")
    assert not found.has_section("metrics")


def test_defaults_of_the_oldest_and_the_newest(make: Make) -> None:
    old = config(make("installation: /usr/lib/airflow-2.1\n"))
    assert old["core"]["sql_alchemy_conn"].startswith("sqlite:")
    assert old["celery"]["worker_log_server_port"] == "8601"
    assert old["api"]["auth_backend"] == "airflow.api.auth.backend.basic_auth"
    assert old["webserver"]["expose_config"] == "False"
    new = config(make("installation: /usr/lib/airflow-3.3\n"))
    assert new["api"]["port"] == "8600"
    assert new["core"]["execution_api_server_url"] == "http://127.0.0.1:8600/execution/"
    assert new["core"]["auth_manager"].endswith("FabAuthManager")
    assert new["api_auth"]["jwt_secret"]
    assert "auth_role_public" not in new["fab"]
    assert not new.has_section("webserver")


def test_file_form(make: Make) -> None:
    text = airflow_cfg.render(make("airflow_config:\n  aaa:\n    b: yes\n    a: '100%'\n"))
    assert is_managed(text.encode())
    sections = [line for line in text.splitlines() if line.startswith("[")]
    assert sections[0] == "[core]"
    assert sections[1:] == sorted(sections[1:])
    assert "\n[aaa]\na = 100%%\nb = True\n" in text


def test_merge_order(make: Make) -> None:
    made = make(
        "airflow_config:\n  core:\n    parallelism: 2\n    max: 2.10\n",
        secrets="airflow_config:\n  core:\n    parallelism: 3\n  smtp:\n    smtp_password: 'a%b'\n",
        defaults="airflow_config:\n  core:\n    parallelism: 1\n    load_examples: ~\n"
        "  smtp:\n    smtp_mail_from: '%{name}@%{fqdn}'\n",
    )
    assert made.config[("core", "parallelism")].value == 3
    assert made.config[("core", "parallelism")].origin.endswith("secrets.d/team-a.yaml:3")
    assert ("core", "load_examples") not in made.config
    found = config(made)
    assert found["core"]["max"] == "2.10"
    assert found["smtp"]["smtp_password"] == "a%b"
    assert found["smtp"]["smtp_mail_from"] == "team-a@host.example.org"


def test_placeholders(make: Make) -> None:
    made = make(
        'description: "%%{name} %{name} %{cpus} %{db_name}"\n'
        'airflow_home: "/data/%{service_user}"\nservice_user: "svc-%{name}"\n',
        secrets='db_password: "%{name}%"\n',
    )
    assert made.parameter("description") == "%{name} team-a 4 team_a"
    assert made.home == "/data/svc-team-a"
    assert made.database.password == "%{name}%"
    assert made.group == "svc-team-a"


def test_database_url_templates(make: Make) -> None:
    made = make(
        "db: postgresql\n"
        "db_url: postgresql://%{db_user}:%{db_password}@db/%{db_name}?sslmode=verify-full\n",
        secrets="db_password: 'p@ss:w/o%rd'\n",
    )
    expected = "postgresql://airflow_team_a:p%40ss%3Aw%2Fo%25rd@db/team_a?sslmode=verify-full"
    assert config(made)["database"]["sql_alchemy_conn"] == expected
    made = make("airflow_config:\n  core:\n    sql_alchemy_conn: mysql://%{db_user}@h/%{db_name}\n")
    assert config(made)["database"]["sql_alchemy_conn"] == "mysql://airflow_team_a@h/team_a"
    assert "core.sql_alchemy_conn" not in airflow_cfg.render(made)
    assert "sqlite" not in made.conditions


def test_local_database_gets_a_password(make: Make) -> None:
    assert "db_password" in make("db: mysql\n").keys
    assert "db_password" not in make("").keys
    assert "db_password" not in make("db: mysql\ndb_host: db.example.org\n").keys


def test_kerberos(make: Make) -> None:
    made = make("kerberos_realm: EXAMPLE.ORG\nairflow_config:\n  core:\n    security: kerberos\n")
    found = config(made)["kerberos"]
    ccache = "/srv/airflow-team-a/airflow_airflow-team-a_krb5_ccache"
    assert found["principal"] == "airflow-team-a/host.example.org@EXAMPLE.ORG"
    assert found["ccache"] == ccache
    assert found["keytab"] == "/etc/security/keytabs/airflow-team-a/airflow-team-a.keytab"
    assert found["reinit_frequency"] == "3600"
    assert made.environment["KRB5CCNAME"] == ccache
    assert "kerberos" in {daemon.name for daemon in made.daemons}


def test_statsd_is_the_instances_own(make: Make) -> None:
    found = config(make("statsd_monitoring_enabled: true\n"))["metrics"]
    assert dict(found) == {
        "statsd_on": "True",
        "statsd_host": "127.0.0.1",
        "statsd_port": "8605",
        "statsd_prefix": "airflow.team-a",
    }


def test_own_secrets_backend_replaces_ours(make: Make) -> None:
    found = config(make("airflow_config:\n  secrets:\n    backend: my.Backend\n"))["secrets"]
    assert dict(found) == {"backend": "my.Backend"}


def test_addresses(make: Make) -> None:
    web = "airflow_config:\n  webserver:\n    web_server_host: {}\n"
    assert make(web.format("0.0.0.0")).option("base_url") == "http://127.0.0.1:8600"
    assert make(web.format('"::1"')).option("base_url") == "http://[::1]:8600"
    both = web.format("10.0.0.1") + "    web_server_port: 9000\n    web_server_ssl_cert: /c\n"
    made = make(both)
    assert made.option("base_url") == "https://10.0.0.1:9000"
    assert made.ports["web"] == 9000


def test_open_access(make: Make) -> None:
    made = make("web_access: open\n")
    assert "AUTH_ROLE_PUBLIC = 'Admin'" in webserver_config.render(made)
    assert made.option("api_auth_open") == "airflow.api.auth.backend.default"
    assert "AUTH_ROLE_PUBLIC" not in webserver_config.render(make(""))
    new = make("web_access: open\ninstallation: /usr/lib/airflow-3.3\n")
    assert config(new)["fab"]["auth_role_public"] == "Admin"
    with pytest.raises(DeclarationError, match="an Admin"):
        make(
            "web_access: open\ninstallation: /usr/lib/airflow-3.3\n"
            "airflow_config:\n  webserver:\n    web_server_host: 10.0.0.1\n"
        )
    make(
        "web_access: open\nallow_open_access_beyond_loopback: true\n"
        "airflow_config:\n  webserver:\n    web_server_host: 10.0.0.1\n"
    )


@pytest.mark.parametrize(
    "manager",
    ["airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager", "null"],
)
def test_open_access_with_the_simple_auth_manager(make: Make, manager: str) -> None:
    """Which has no roles for strangers, but an option; null leaves it to Airflow."""
    chosen = f"airflow_config:\n  core:\n    auth_manager: {manager}\n"
    new = "installation: /usr/lib/airflow-3.3\n"
    option = "simple_auth_manager_all_admins"
    assert config(make(f"{new}{chosen}web_access: open\n"))["core"][option] == "True"
    assert option not in config(make(f"{new}{chosen}"))["core"]
    assert option not in config(make(f"{new}web_access: open\n"))["core"]
    assert option not in config(make(f"{chosen}web_access: open\n"))["core"]
    with pytest.raises(DeclarationError, match=r"web_access: open .* an Admin"):
        make(f"{new}{chosen}  api:\n    host: 10.0.0.1\nweb_access: open\n")


def test_who_has_fabs_users(make: Make) -> None:
    """Where a declaration takes the option away, Airflow has its own default."""
    away = "airflow_config:\n  core:\n    auth_manager: null\n"
    assert "fab" in make(away).conditions
    assert "fab" in make("installation: /usr/lib/airflow-3.3\n").conditions
    found = make(f"installation: /usr/lib/airflow-3.3\n{away}").conditions
    assert "simple" in found
    assert "fab" not in found


def test_webserver_config_is_python(make: Make) -> None:
    text = webserver_config.render(make("webserver_config_extra: |\n  AUTH_TYPE = 2  # LDAP\n"))
    compile(text, "webserver_config.py", "exec")
    assert text.endswith("AUTH_TYPE = 2  # LDAP\n")


def test_connections(make: Make) -> None:
    made = make(
        "connections:\n  hive:\n    conn_type: hive_cli\n    port: 10000\n"
        "    extra:\n      use_beeline: true\n      principal: hive/_HOST@R\n",
        secrets='connections:\n  hive:\n    password: "p\'\\"\\n: # ü"\n  db: mysql://u:p%40@h/d\n',
    )
    assert yaml.safe_load(connections_yaml.render(made)) == {
        "db": "mysql://u:p%40@h/d",
        "hive": {
            "conn_type": "hive_cli",
            "extra": '{"principal": "hive/_HOST@R", "use_beeline": true}',
            "password": "p'\"\n: # ü",
            "port": 10000,
        },
    }
    assert yaml.safe_load(connections_yaml.render(make(""))) == {}


def test_environment(make: Make) -> None:
    made = make('environment_extra:\n  Z: "a b"\n  B: true\n  PATH: /opt/bin\n')
    assert list(made.environment) == ["AIRFLOW_HOME", "AIRFLOW_INSTANCE_NAME", "PATH", "B", "Z"]
    assert made.environment["PATH"] == "/usr/lib/airflow/bin:/opt/bin"
    text = environment.render(made)
    assert 'Z="a b"\n' in text
    assert environment.parse(text) == dict(made.environment)
    assert "User=airflow-team-a\nGroup=airflow-team-a\n" in environment.drop_in(made)


def test_sorted_names_and_secrets_of_nobody(
    run: Run, declare: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    declare("nobody", "db_password: x\n", "secrets")
    assert run("apply") == 0
    assert "secrets of an instance that is not declared" in capsys.readouterr().err


def test_shipped_defaults_are_all_comments(make: Make) -> None:
    shipped = Path(__file__).parents[2] / "scripts" / "defaults.yaml"
    assert make("", defaults=shipped.read_text()).home == "/srv/airflow-team-a"
    # And with the comment signs taken away they are valid.
    example = shipped.read_text().split("#\n", 1)[1].replace("# ", "")
    assert make("", defaults=example).option("parsing_processes") == "4"

"""The pages that are followed on a host, in this order, and what is particular to each."""

from __future__ import annotations

from tests.host import test_kerberos as realm
from tests.host.lab import PACKAGES
from tests.host.reader import At, Page, Reader
from tests.host.site import PASSWORD

STAMP = "20260301T030000Z"
TWICE = f"{PASSWORD}\n{PASSWORD}\n"
REPOSITORY = "/srv/packages"
DAG = "/srv/git/analytics/dags"
HEAD = "/root/head"


def unpack_dist(reader: Reader) -> None:
    """The checkout's dist/, where the reader is."""
    reader.sh(f"mkdir -p /root/dist; ln -sfn {PACKAGES} /root/dist/bullseye")


def hello_is_known(reader: Reader) -> None:
    reader.team.wait("the DAG to be found", lambda: bool(reader.team.states("hello")["known"]))


def hello_has_ended(reader: Reader) -> None:
    reader.team.wait_for_run("hello")


def start_postgresql(reader: Reader) -> None:
    """And wait until what was running is well."""
    reader.sh("systemctl start postgresql")
    reader.team.host.wait("check to be content", lambda: _check(reader) == 0)


def database_server(reader: Reader) -> None:
    reader.sh("systemctl start postgresql")


def deploy_dags(reader: Reader) -> None:
    reader.machine.write(f"{DAG}/quick.py", reader.machine.read("/opt/team-dags/quick.py"))


def stop_postgresql(reader: Reader) -> None:
    reader.sh("systemctl stop postgresql")
    reader.team.host.wait("check to notice", lambda: _check(reader) == 2)


def is_well(reader: Reader) -> None:
    reader.team.host.wait("check to be content", lambda: _check(reader) == 0)


def _check(reader: Reader) -> int:
    return reader.team.tool("check", check=False).status


def is_lost(reader: Reader) -> None:
    """All of the instance but its backups, as on another host."""
    everything = ("--delete-database", "--delete-home", "--delete-logs", "--delete-user")
    reader.team.tool("drop", "--stop", "--yes", *everything)


def open_repository(reader: Reader) -> None:
    """A repository with a newer package of the tool, and an Airflow that has migrations."""
    reader.sh(f"""
        mkdir -p {REPOSITORY}
        cd {REPOSITORY}
        cp {reader.lab.instances_package} .
        dpkg-deb --raw-extract {reader.lab.instances_package} newer
        sed -i 's/^Version: .*/&+newer/' newer/DEBIAN/control
        dpkg-deb --build newer newer.deb
        stub=stub/usr/lib/airflow-2.1.4
        mkdir -p stub/DEBIAN stub/usr/bin $stub
        cp -a /usr/lib/airflow/bin /usr/lib/airflow/pyvenv.cfg $stub
        ln -s ../airflow/lib $stub/lib
        grep -lI '^#!/usr/lib/airflow/' $stub/bin/* | xargs sed -i '1s,/airflow/,/airflow-2.1.4/,'
        ln -s ../lib/airflow-2.1.4/bin/airflow stub/usr/bin/airflow-2.1.4
        cat > stub/DEBIAN/control <<END
Package: airflow-2.1.4
Version: 2.1.4-1~deb11u1
Architecture: amd64
Maintainer: nobody
Description: a second installation, of the modules of the first
END
        dpkg-deb --build stub stub.deb
        for deb in *.deb; do
            dpkg-deb --field $deb
            stat --format='Size: %s' $deb
            echo "SHA256: $(sha256sum $deb | cut -d' ' -f1)"
            echo "Filename: ./$deb"
            echo
        done > Packages
        rm -f /etc/apt/sources.list.d/*
        echo 'deb [trusted=yes] file:{REPOSITORY} ./' > /etc/apt/sources.list
    """)


def another_airflow(reader: Reader) -> None:
    """What an upgrade looks like: files that are new, and a database that is behind."""
    behind(reader)
    reader.sh("touch /usr/lib/airflow/lib/python3*/site-packages/apache_airflow-*.dist-info/*")


def behind(reader: Reader) -> None:
    """A database from which all migrations on can be run a second time."""
    head = _sql(reader, "SELECT version_num FROM alembic_version").strip()
    reader.machine.write(HEAD, head)
    _revise(reader, reader.lab.expected["replayable"])


def level(reader: Reader) -> None:
    """The database as the first Airflow wants it: the second's migrations are the first's."""
    _revise(reader, reader.machine.read(HEAD))


def _revise(reader: Reader, revision: str) -> None:
    _sql(reader, f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608


def _sql(reader: Reader, text: str) -> str:
    name = reader.team.setting("db_name")
    return reader.sh(f'runuser -u postgres -- psql -qAtd {name} -c "{text}"')


def has_run(reader: Reader) -> None:
    reader.team.wait_for_web()


def old_backup(reader: Reader) -> None:
    """One of the time that is printed, of an instance that is stopped."""
    place = "/var/backups/airflow-instances/analytics"
    reader.team.wait_for_web()
    reader.sh(f"""
        airflow-instance backup analytics
        newest=$(ls {place} | tail -n 1)
        mv {place}/$newest {place}/{STAMP}
    """)
    stopped(reader)


def stopped(reader: Reader) -> None:
    reader.sh("airflow-instance stop --force analytics || [ $? = 2 ]")


def keytab(reader: Reader) -> None:
    """A realm, and a keytab as its administrator would hand it over."""
    machine = reader.machine
    realm.make_realm(machine)
    principal = f"airflow-analytics/{realm.FQDN}@{realm.REALM}"
    place = "/etc/security/keytabs/airflow-analytics"
    machine.call(["mkdir", "--parents", place])
    realm.kadmin(machine, f"addprinc -randkey {principal}")
    realm.kadmin(machine, f"ktadd -k {place}/airflow-analytics.keytab {principal}")


def no_kerberos(reader: Reader) -> None:
    reader.team.tool("set", "--apply", "--unset", "airflow_config.core.security")
    reader.team.wait_for_web()


README = Page(
    "README.md",
    (
        At("apt update", before=unpack_dist),
        At("airflow-instance create analytics", says="airflow-instance start analytics"),
        At("airflow-instance start analytics", says="http://127.0.0.1:8600"),
        At("airflow-analytics dags unpause", before=hello_is_known),
        At("airflow-analytics dags list-runs", before=hello_has_ended, says="success"),
        At("airflow-analytics users create", typed=TWICE),
        At("airflow-instance ls", says="analytics +2.1.0 .*online"),
        At("airflow-instance ls", nth=2, says="reports +2.1.0 .*online"),
        At("airflow-instance create sales", before=database_server),
        At("airflow-instance check analytics", before=is_well, says="^AIRFLOW OK"),
        At("airflow-instance migrate analytics", status=2),
        At("airflow-instance backup analytics", says="analytics"),
    ),
)
OPERATIONS = (
    Page(
        "docs/operations/new-team.md",
        (
            At("airflow-instance create analytics --db", before=database_server),
            At("airflow-analytics users create", typed=TWICE),
            At("airflow-instance set --apply analytics airflow_config.core", before=deploy_dags),
            At("airflow-instance set --apply analytics airflow_config.smtp", typed="secret\n"),
        ),
    ),
    Page(
        "docs/operations/monitoring.md",
        (
            At("airflow-instance check analytics", before=is_well, says="^AIRFLOW OK"),
            At("airflow-instance doctor", before=is_well),
        ),
    ),
    Page(
        "docs/operations/database-down.md",
        (
            At("airflow-instance check", before=stop_postgresql, status=2, says="CRITICAL"),
            At("airflow-instance status", before=is_well),
            At("airflow-instance check", nth=2, says="^AIRFLOW OK"),
        ),
    ),
    Page("docs/operations/disk-full.md"),
    Page(
        "docs/operations/restore.md",
        (At("airflow-instance restore analytics", nth=4, before=is_lost),),
    ),
    Page(
        "docs/operations/upgrade.md",
        (
            At("apt update", before=open_repository),
            At("apt install", before=another_airflow, says="airflow-instance migrate analytics"),
            At("airflow-instance ls", says="held"),
            At("airflow-instance migrate --dry-run", says="would run airflow db upgrade"),
            At("airflow-instance migrate analytics", says="backed up as"),
            At("airflow-instance respell", before=has_run, status=2, says="is so already"),
        ),
    ),
    Page(
        "docs/operations/roll-back.md",
        (
            At(f"airflow-instance restore analytics {STAMP}", before=old_backup),
            At("apt install --allow-downgrades", says="Downgrading|DOWNGRADED"),
            At(f"airflow-instance restore analytics {STAMP}", nth=2, before=stopped),
            At("apt-cache policy", says="2.1.0.* 1001"),
        ),
    ),
    Page("docs/repository.md", (At("apt-cache policy", says="2.1.0.* 990"),)),
    Page(
        "docs/operations/new-version.md",
        (
            At(
                "airflow-instance set --apply analytics installation=/usr/lib/airflow-",
                before=behind,
            ),
            At("airflow-instance migrate analytics", says="backed up as"),
            At("airflow-instance stop analytics", before=has_run),
            At("airflow-instance start analytics", before=level),
        ),
    ),
    Page(
        "docs/operations/kerberos.md",
        (
            At("chown airflow-analytics", before=keytab),
            At("airflow-instance status", before=has_run),
        ),
    ),
    Page(
        "docs/instances.md",
        (
            At("airflow-instance ls", before=no_kerberos, says="analytics .*online"),
            At("airflow-instance doctor", before=is_well),
            At("airflow-instance restart", before=has_run),
            At("airflow-instance stop analytics", before=has_run),
            At("airflow-instance rotate-keys", before=has_run),
            At("airflow-instance stop analytics", nth=2, before=has_run),
        ),
    ),
)
MANAGED = Page(
    "docs/operations/configuration-management.md",
    (
        At("airflow-instance apply", status=2),
        At("airflow-instance migrate", status=2),
        At("puppet apply", says="Instance.analytics.*airflow-instance apply analytics.*success"),
        At("ansible-vault", typed=TWICE),
        At("ansible-playbook", typed=f"{PASSWORD}\n", says="changed=[1-9].*failed=0"),
    ),
)
PAGES = (README, *OPERATIONS, MANAGED)

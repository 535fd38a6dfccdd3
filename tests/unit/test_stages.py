"""Where the time of a build went, read from its log."""

from __future__ import annotations

from tests.bench import stages

LOG = """\
    0.00  === 2026-03-18T09:30:00+00:00 airflow-deb deb
    0.10  --- wheels
    4.10    wheels: 4.0 s
    4.20  --- deb airflow
    5.20     dh_clean
    5.40     debian/rules override_dh_auto_install-arch
    5.50  PATH="/build/debian/lib/idle:$PATH" dh_virtualenv -pairflow \\
   15.50  /usr/bin/python3.9 -B debian/lib/prune.py debian/airflow/usr/lib/airflow debian/prune
   16.50     dh_clean
   17.00  not a step
   18.00   dpkg-genchanges --build=any -O../airflow.changes
   20.00  --- verify airflow
   21.50  the end
"""


def test_a_step_lasts_until_the_next_begins_and_what_comes_twice_is_added() -> None:
    found = {name: round(seconds, 2) for name, seconds in stages.steps(LOG).items()}
    assert found == {
        "wheels": 4.1,
        "deb airflow": 1.0,
        "dh_clean": 1.8,
        "dh_virtualenv": 10.0,
        "prune": 1.0,
        "dpkg-genchanges": 2.0,
        "verify airflow": 1.5,
    }

# shellcheck shell=sh disable=SC2034
# What is supported: the one list of Airflow versions and Debian suites. A cell
# is a version on a suite. Only plain NAME="value" assignments, so that a shell
# can source it; build/airflow_deb/versions.py parses and checks it.
#
# To add a version: add its line here and run `make lock VERSION=…`; what it needs
# beyond that, with reasons, is in requirements/VERSION/ (docs/adding-a-version.md).

# --- Suites: <suite>_<key> ---------------------------------------------------
# debian       the Debian release's number, for ~deb<N>u<revision>
# python       the suite's own Python, the one dependency the package is honest about
# mirror       where mmdebstrap finds the suite; empty means its own default
# compression  how the .deb is packed, method:level (bullseye's dpkg cannot read zstd)
suites="bullseye bookworm trixie"

bullseye_debian="11"
bullseye_python="3.9"
bullseye_mirror=""
bullseye_compression="xz:2"

bookworm_debian="12"
bookworm_python="3.11"
bookworm_mirror=""
bookworm_compression="zstd:10"

trixie_debian="13"
trixie_python="3.13"
trixie_mirror=""
trixie_compression="zstd:10"

# --- Versions: v<version with _ for .>="suites=… pythons=… asof=…" -----------
# suites    the suites it is built for; the first is the default of `make deb`
# pythons   the Pythons it can run on, by its metadata or by proof
# asof      the lock knows only what was uploaded until the end of this day (UTC)
# security  the same for its other lock, the newest patch levels; without it there is none
# revision  the Debian revision of the package; 1 when it is left out

# 2.1.0 and 2.1.4 were released for 3.6 to 3.8; that they run on 3.9 the host tests prove.
v2_1_0="suites=bullseye pythons=3.6,3.7,3.8,3.9 asof=2021-06-30 security=2026-11-20"
v2_1_4="suites=bullseye pythons=3.6,3.7,3.8,3.9 asof=2021-10-05"
v2_7_3="suites=bookworm pythons=3.8,3.9,3.10,3.11 asof=2023-11-20"
v2_10_5="suites=bookworm,bullseye pythons=3.8,3.9,3.10,3.11,3.12 asof=2025-08-15"
v2_11_2="suites=bookworm pythons=3.10,3.11,3.12 asof=2026-03-18"
v3_3_2="suites=trixie,bookworm pythons=3.10,3.11,3.12,3.13 asof=2026-09-21"

# What is asked for: the extras of apache-airflow, and what is installed beside it, by
# the version's first number. airflow-exporter 2.x is for Airflow 3.
extras="all"
addons_2="apache-airflow-providers-apache-hive apache-airflow-providers-papermill ipykernel airflow-exporter<2"
addons_3="apache-airflow-providers-apache-hive apache-airflow-providers-papermill ipykernel airflow-exporter>=2"

# --- Airflow's official constraints, for `make lock`; {version}, {python} ------
constraints_url="https://raw.githubusercontent.com/apache/airflow/constraints-{version}/constraints-{python}.txt"

# shellcheck shell=sh disable=SC2034
# What is supported: the one list of Airflow versions and Debian suites. A cell
# is a version on a suite. Only plain NAME="value" assignments, so that a shell
# can source it; build/airflow_deb/versions.py parses and checks it.
#
# To add a version: add it here, put its pins' reasons into requirements/VERSION/,
# run `make lock VERSION=…` (docs/adding-a-version.md).

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

# --- Versions: v<version with _ for .>_<key> ---------------------------------
# suites    the suites it is built for; the first is the default of `make deb`
# pythons   the Pythons it can run on, by its metadata or by proof
# extras    the extras of apache-airflow
# addons    what is installed beside it
# asof      the lock knows only what was uploaded until the end of this day (UTC)
# revision  the Debian revision of the package
versions="2.1.0 2.11.2 3.3.2"

# 2.1.0 was released for 3.6 to 3.8; that it runs on 3.9 the host tests prove.
v2_1_0_suites="bullseye"
v2_1_0_pythons="3.6 3.7 3.8 3.9"
v2_1_0_extras="all"
v2_1_0_addons="apache-airflow-providers-apache-hive apache-airflow-providers-papermill ipykernel airflow-exporter"
v2_1_0_asof="2021-06-30"
v2_1_0_revision="1"

# airflow-exporter 2.x is for Airflow 3.
v2_11_2_suites="bookworm"
v2_11_2_pythons="3.10 3.11 3.12"
v2_11_2_extras="all"
v2_11_2_addons="apache-airflow-providers-apache-hive apache-airflow-providers-papermill ipykernel airflow-exporter==1.7.0"
v2_11_2_asof="2026-03-18"
v2_11_2_revision="1"

v3_3_2_suites="trixie bookworm"
v3_3_2_pythons="3.10 3.11 3.12 3.13"
v3_3_2_extras="all"
v3_3_2_addons="apache-airflow-providers-apache-hive apache-airflow-providers-papermill ipykernel airflow-exporter==2.1.0"
v3_3_2_asof="2026-09-21"
v3_3_2_revision="1"

# --- Airflow's official constraints, for `make lock`; {version}, {python} ------
constraints_url="https://raw.githubusercontent.com/apache/airflow/constraints-{version}/constraints-{python}.txt"

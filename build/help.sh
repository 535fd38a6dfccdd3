#!/bin/sh
# Print the documented targets of the Makefile given, and the settings.
set -eu
echo "airflow-deb: Apache Airflow as a Debian package"
echo
sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)$/\1|\2/p' "$1" | while IFS='|' read -r target text; do
    printf '  make %-14s %s\n' "$target" "$text"
done
cat <<'TEXT'

Settings, as KEY=value behind the target:
  VERSION        the Airflow version, one of versions.sh
  SUITE          the Debian suite; without it the version's first in versions.sh
  NAME           airflow-2.11, say: the package airflow by another name, with its tree
                 in /usr/lib/airflow-2.11, to be installed beside others
  PACKAGE        airflow or airflow-instances, to build only one of the two
  DRY_RUN=1      print the plan and do nothing
  FAST=1         hardly any compression and no lintian (for development)
  COMPRESS       best, or method:level such as xz:6; without it the suite's
  KEEP=1         keep the build's directory, which `make shell` opens
  SHELL_ON_FAIL=1  open a shell in the container when the build fails
  ROWS, ROUNDS   for bench: what to measure, and how often our own builds (3)
  NO_WAIT=1      fail when somebody else is building the same package
  MIRROR         the Debian mirror to make roots from; without it mmdebstrap's default
  CONSTRAINTS    for lock: Airflow's constraints, a file, a URL, or none
  RESOLVER       for lock: uv (default) or pip-tools
  FORMAT         for matrix: text (default) or json

The cache is in AIRFLOW_DEB_CACHE, or airflow-deb below XDG_CACHE_HOME (~/.cache);
it may be deleted at any time. The package index and proxies are those that pip's
configuration and the environment (PIP_INDEX_URL, https_proxy, …) name.
TEXT

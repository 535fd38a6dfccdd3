"""Apply each malformed declaration of a corpus, and look what it changed, as JSON.

``apply_corpus.py DIRECTORY``, as root, on a host with running instances. A file
secrets-X.yaml or defaults-X.yaml is for that place, all others for instances.d. Between
two cases the host is as before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ETC = Path("/etc/airflow")
PLACES = {
    "instances": ETC / "instances.d/broken.yaml",
    "secrets": ETC / "secrets.d/broken.yaml",
    "defaults": ETC / "defaults.yaml",
}
HEALTHY = b"ensure: present\n"


def snapshot() -> dict[str, object]:
    """All of /etc and of the homes' tops, and what runs. Any change changes a ctime."""
    found: dict[str, object] = {}
    ours = {str(path) for path in PLACES.values()} | {str(p.parent) for p in PLACES.values()}
    tops = [*Path("/srv").glob("airflow-*"), *Path("/srv").glob("airflow-*/*")]
    below = (Path(top, name) for top, _, names in os.walk("/etc") for name in ["", *names])
    for path in [*below, *tops, Path("/usr/local/bin")]:
        if str(path) in ours or path.name in ("airflow.db", "logs"):
            continue
        status = path.lstat()
        facts = (status.st_mode, status.st_uid, status.st_gid, status.st_size, status.st_ino)
        found[str(path)] = (*facts, 0 if path.is_dir() else status.st_ctime_ns)
    words = ["systemctl", "show", "--property=Id,MainPID,ActiveState", "airflow-webserver@*"]
    words += ["airflow-scheduler@*", "airflow@*"]
    shown = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
    for unit in shown.split("\n\n"):
        found[unit.partition("\n")[0]] = unit
    return found


def put(content: dict[str, bytes]) -> None:
    for place, path in PLACES.items():
        if place in content:
            path.write_bytes(content[place])
            path.chmod(0o600 if place == "secrets" else 0o644)
        else:
            path.unlink(missing_ok=True)


def main() -> None:
    defaults = PLACES["defaults"].read_bytes()
    before = snapshot()
    results = {}
    for case in sorted(Path(sys.argv[1]).glob("*.yaml")):
        kind = case.stem.split("-", 1)[0]
        kind = kind if kind in PLACES else "instances"
        put({"instances": HEALTHY, "defaults": defaults, kind: case.read_bytes()})
        done = subprocess.run(
            ["airflow-instance", "apply"], capture_output=True, text=True, check=False
        )
        after = snapshot()
        results[case.stem] = {
            "status": done.returncode,
            "out": done.stdout,
            "err": done.stderr,
            "changed": [key for key in {*before, *after} if before.get(key) != after.get(key)],
        }
        before = after
    put({"defaults": defaults})
    print(json.dumps(results))


main()

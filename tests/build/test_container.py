"""Containers: what they see, and that nothing of them outlives the builder."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_deb import container, run
from airflow_deb.container import Bind, Spec
from airflow_deb.errors import BuildError

PROJECT = Path(__file__).resolve().parents[2]


def test_there_is_no_network_but_loopback(root: Path, scratch: Path) -> None:
    spec = Spec(name="airflow-deb-test", layers=(root,), scratch=scratch)
    done = container.execute(spec, ["sh", "-c", "cat /proc/net/dev; cat /proc/net/route"])
    names = [line.split(":")[0].strip() for line in done.stdout.splitlines() if ":" in line]
    assert names == ["lo"]
    assert len([line for line in done.stdout.splitlines() if line.startswith("Iface")]) == 1


def test_what_is_written_stays_in_the_overlay(root: Path, scratch: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from the host")
    spec = Spec(
        name="airflow-deb-test",
        layers=(root,),
        scratch=scratch,
        binds=(Bind(tmp_path, "/airflow-deb/in"),),
        env={"GREETING": "hello"},
    )
    container.execute(spec, ["sh", "-euc", 'cat /airflow-deb/in/file; echo "$GREETING" > /new'])
    assert (spec.upper / "new").read_text() == "hello\n"
    assert not (root / "new").exists()
    with pytest.raises(BuildError):
        container.again(spec, ["touch", "/airflow-deb/in/other"])
    assert container.again(spec, ["cat", "/new"]).stdout == "hello\n"


def test_a_failure_tells_the_end_of_what_was_printed(root: Path, scratch: Path) -> None:
    spec = Spec(name="airflow-deb-test", layers=(root,), scratch=scratch)
    with pytest.raises(BuildError) as caught:
        container.execute(spec, ["sh", "-c", "echo the reason; exit 3"])
    assert "the reason" in caught.value.detail
    assert "SHELL_ON_FAIL=1" in str(caught.value)


def test_kill_9_of_the_builder_leaves_no_process_and_no_mount(root: Path, scratch: Path) -> None:
    program = textwrap.dedent(f"""
        from pathlib import Path
        from airflow_deb import container
        spec = container.Spec(name="airflow-deb-killed", layers=(Path({str(root)!r}),),
                              scratch=Path({str(scratch)!r}))
        container.execute(spec, ["sh", "-c", "touch /started; exec sleep 4242"])
    """)
    builder = subprocess.Popen(
        [sys.executable, "-c", program], env=run.environment({"PYTHONPATH": f"{PROJECT}/build"})
    )
    _until((scratch / "upper" / "started").exists, "the container starts")
    builder.kill()
    builder.wait()
    # Under sudo the next run's first step does this; as root it is done by now.
    container.kill_leftovers(scratch)
    _until(
        lambda: run.run(["pgrep", "-f", "^sleep 4242"], check=False).status != 0,
        "the container's process ends",
    )
    assert str(scratch) not in Path("/proc/mounts").read_text()
    spec = Spec(name="airflow-deb-killed", layers=(root,), scratch=scratch)
    assert container.execute(spec, ["ls", "/"]).stdout.split().count("started") == 0


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"not within a minute: {what}"
        time.sleep(0.05)

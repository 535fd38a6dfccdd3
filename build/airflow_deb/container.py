"""Run a command inside a Debian root, on a throw-away overlay.

Everything happens in a mount and a process namespace of its own that dies with
the builder: after Ctrl-C, or kill -9 of the builder, no mount and no process is
left, only a scratch directory that the next run empties. systemd-nspawn does
the rest. Without ``network`` the container has a loopback of its own and
nothing else: what succeeds there has downloaded nothing.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import log
from .errors import BuildError
from .run import Result, privileged, require, run

# Inside the namespace: nspawn's own bookkeeping goes to a tmpfs, so that it
# leaves nothing on the host; then the overlay; then the container, in control
# groups of its own: two inits in the same would delete each other's.
_ENTER = """
while IFS=: read -r _ kind path; do
    case $kind in
        name=systemd) top=/sys/fs/cgroup/systemd ;;
        "") top=/sys/fs/cgroup/unified; [ -d "$top" ] || top=/sys/fs/cgroup ;;
        *) continue ;;
    esac
    mkdir -p "$top$path/$3"
    echo $$ > "$top$path/$3/cgroup.procs"
done < /proc/self/cgroup
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
mount -t overlay overlay -o "$1" "$2"
shift 3
exec "$@"
"""
# disorderfs(1): the same files, but a directory's entries come in another order each time.
# It goes to them as whoever asks, who may have no way through the cache's directory. Its
# source must not lie below where it is mounted: it would ask itself, without end.
_SHUFFLE = """
mkdir -m 755 "$2" "$2/tree" "$2/shuffled"
mount --bind "$1" "$2/tree"
disorderfs --quiet --multi-user=yes --shuffle-dirents=yes "$2/tree" "$2/shuffled"
shift 2
exec "$@"
"""
_CERTIFICATES = Path("/etc/ssl/certs")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Bind:
    """A directory or file of the host that is seen at ``target`` inside.

    With ``shuffled`` its directories list their entries in another order each time.
    """

    source: Path
    target: str
    read_only: bool = True
    shuffled: bool = False


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A container: what it is made of and what it may see.

    ``layers`` are the roots under the overlay, the topmost first; ``scratch``
    is a directory for what is written, emptied by `prepare`.
    """

    name: str
    layers: tuple[Path, ...]
    scratch: Path
    binds: tuple[Bind, ...] = ()
    network: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    hostname: str = "airflow-deb"

    @property
    def root(self) -> Path:
        """Where the merged tree is mounted, inside the namespace only."""
        return self.scratch / "root"

    @property
    def upper(self) -> Path:
        """What the container has written, seen from the host."""
        return self.scratch / "upper"


def namespace() -> list[str]:
    """The prefix that ties a command to the builder's life and gives it own mounts."""
    return [
        *("setpriv", "--pdeathsig", "KILL"),
        *("unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"),
    ]


def nspawn(spec: Spec, *options: str) -> list[str]:
    """The command line of ``spec``'s container up to its own command (pure)."""
    overlay = ",".join(
        (
            "lowerdir=" + ":".join(str(layer) for layer in spec.layers),
            f"upperdir={spec.upper}",
            f"workdir={spec.scratch / 'work'}",
        )
    )
    words = [*namespace(), "sh", "-euc", _ENTER, "enter", overlay, str(spec.root), spec.name]
    sources = {}
    for number, bind in enumerate(spec.binds):
        sources[bind] = bind.source
        if bind.shuffled:
            place = f"/run/systemd/nspawn/{number}"
            sources[bind] = Path(place, "shuffled")
            words += ["sh", "-euc", _SHUFFLE, "shuffle", str(bind.source), place]
    words += ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit"]
    words += [
        f"--machine={spec.name}",
        f"--hostname={spec.hostname}",
        f"--directory={spec.root}",
        *options,
    ]
    for bind in spec.binds:
        kind = "--bind-ro" if bind.read_only else "--bind"
        words.append(f"{kind}={sources[bind]}:{bind.target}")
    if spec.network:
        words.append("--resolv-conf=copy-host")
        if _CERTIFICATES.is_dir():
            words.append(f"--bind-ro={_CERTIFICATES}")
    else:
        words.append("--private-network")
    env = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/root"}
    if spec.network:
        env.update(_network_environment())
    env.update(spec.env)
    words += [f"--setenv={key}={value}" for key, value in sorted(env.items())]
    return words


def prepare(spec: Spec) -> None:
    """Make ``spec.scratch`` ready and empty, whatever an earlier run left there."""
    for tool in ("unshare", "systemd-nspawn"):
        require(tool)
    kill_leftovers(spec.scratch)
    remove(spec.scratch)
    for part in (spec.upper, spec.scratch / "work", spec.root):
        part.mkdir(parents=True)
    # The overlay's top directory takes its owner from here.
    run(["chown", "0:0", spec.upper, spec.root], root=True)
    run(["chmod", "755", spec.upper, spec.root], root=True)


def execute(
    spec: Spec, command: Sequence[str], *, on_line: Callable[[str], None] | None = None
) -> Result:
    """Run ``command`` in a new container of ``spec`` and wait for it (see `run.run`).

    Raises BuildError when it fails.
    """
    prepare(spec)
    return again(spec, command, on_line=on_line)


def again(
    spec: Spec, command: Sequence[str], *, on_line: Callable[[str], None] | None = None
) -> Result:
    """Run another ``command`` on what earlier ones wrote in ``spec``'s scratch."""
    words = nspawn(spec, "--as-pid2", "--console=pipe", f"--chdir={spec.workdir}")
    try:
        return run([*words, *command], root=True, on_line=on_line)
    except BuildError as error:
        hint = f"{log.where()}; SHELL_ON_FAIL=1 opens a shell where it failed".lstrip("; ")
        shell_on_fail(spec)
        raise BuildError(
            f"a command in {spec.name} failed", hint=hint, detail=error.detail
        ) from error


def shell_on_fail(spec: Spec) -> None:
    """With SHELL_ON_FAIL=1 open a shell in ``spec``'s container, as it was left."""
    if os.environ.get("SHELL_ON_FAIL") == "1" and sys.stdin.isatty():
        shell(spec)


def shell(spec: Spec) -> None:
    """Open an interactive shell in ``spec``'s container, on what is in its scratch."""
    log.info(f"  a shell in {spec.name}; leave it with exit")
    words = nspawn(spec, "--as-pid2", "--console=interactive", f"--chdir={spec.workdir}")
    os.spawnvp(os.P_WAIT, "sudo" if os.geteuid() else words[0], privileged([*words, "bash"]))


def kill_leftovers(scratch: Path) -> None:
    """Kill the containers that a killed build left running below ``scratch``.

    As root nothing is ever left (see `namespace`); under sudo the container
    outlives a kill -9 of the builder, because sudo does.
    """
    pattern = f"^systemd-nspawn .*--directory={re.escape(str(scratch))}/"
    run(["pkill", "-KILL", "-f", pattern], root=True, check=False)


def remove(tree: Path) -> None:
    """Delete ``tree``, which may hold files of root, without leaving its file system."""
    if tree.exists():
        run(["rm", "-rf", "--one-file-system", tree], root=True)


def _network_environment() -> dict[str, str]:
    names = ("http_proxy", "https_proxy", "no_proxy")
    found = {key: value for key, value in os.environ.items() if key.lower() in names}
    certificate = os.environ.get("SSL_CERT_FILE", "")
    if certificate.startswith(f"{_CERTIFICATES}/"):
        found["SSL_CERT_FILE"] = certificate
    return found

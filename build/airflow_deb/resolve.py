"""From requirements to pins: a resolver, run inside the suite's build root.

Inside, because an sdist tells what it needs only by running its setup.py, and
that is to be the suite's own Python. uv is the default; pip-tools can be chosen
but knows no overrides. What decides the pins is only what is written down: the
requirements, the index as it was until a date, the build tools, the resolver's
version. Nothing here but `run` does anything.
"""

from __future__ import annotations

import datetime
import json
import re
import shlex
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from . import container, web
from .container import Bind
from .errors import AirflowDebError, BuildError, NetworkError
from .web import public

RESOLVERS = ("uv", "pip-tools")

_IN = "/lock"
_UV = "/lock-uv"
_OUT = "/pins.txt"
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)$")
# What uv and pip print when the index is to blame, not the requirements.
_UNREACHABLE = re.compile(
    r"error sending request|dns error|tcp connect error|connection (refused|reset|timed out)"
    r"|operation timed out|NewConnectionError|Max retries exceeded|invalid peer certificate"
    r"|CERTIFICATE_VERIFY_FAILED|connection broken by"
    r"|\b(401|403|407|429|50[0-4]) (Unauthorized|Forbidden|Proxy|Too|Internal|Bad|Service|Gate)",
    re.IGNORECASE,
)

_UNSOLVABLE = re.compile(
    r"No solution found|ResolutionImpossible|Could not find a version|No matching distribution"
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be resolved: requirement lines, and what was uploaded before a moment."""

    requirements: tuple[str, ...]
    before: datetime.datetime
    overrides: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    wheels_only: bool = False


def run(
    job: Job, *, spec: container.Spec, inputs: Path, uv: Path, resolver: str, index: str, lock: Path
) -> dict[str, str]:
    """Resolve ``job`` in a container of ``spec``: versions by canonical name.

    ``inputs`` is a directory for what the resolver reads, ``index`` the index's
    address, ``lock`` the lock that pip-tools itself is installed from.
    Raises NetworkError when the index is to blame, else BuildError with the
    resolver's last lines.
    """
    container.remove(inputs)
    inputs.mkdir(parents=True, mode=0o700)
    for name, text in files(job, index).items():
        (inputs / name).write_text(text, encoding="utf-8")
    if resolver == "pip-tools":
        (inputs / "pip-tools.lock").write_bytes(lock.read_bytes())
    environment = {"TZ": "UTC", "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    # Where certificates are is the host's affair, so they are brought along.
    certificates = web.certificates()
    if certificates is not None:
        shutil.copyfile(certificates, inputs / "ca.pem")
        environment.update(SSL_CERT_FILE=f"{_IN}/ca.pem", PIP_CERT=f"{_IN}/ca.pem")
    whole = container.Spec(
        name=spec.name,
        layers=spec.layers,
        scratch=spec.scratch,
        binds=(*spec.binds, Bind(inputs, _IN), Bind(uv, _UV)),
        network=True,
        env={**spec.env, **environment},
    )
    said: list[str] = []
    try:
        container.execute(whole, command(job, resolver), on_line=said.append)
        text = (whole.upper / _OUT.lstrip("/")).read_text(encoding="utf-8")
    except BuildError as error:
        raise explained(error, resolver, said) from error
    finally:
        container.remove(inputs)
    return pins(text)


def files(job: Job, index: str) -> dict[str, str]:
    """The files that the resolver reads, by name.

    The index's address, which may hold credentials, goes into a file and not
    onto a command line, which is logged.
    """
    return {
        "requirements.in": _lines(job.requirements),
        "overrides.txt": _lines(job.overrides),
        "constraints.txt": _lines(job.constraints),
        "build.txt": _lines(job.build),
        "uv.toml": f"[[index]]\nurl = {json.dumps(index)}\ndefault = true\n",
        "pip.conf": f"[global]\nindex-url = {index.replace('%', '%%')}\n",
    }


def command(job: Job, resolver: str) -> list[str]:
    """The command that resolves ``job``, as it runs inside."""
    return _uv(job) if resolver == "uv" else ["sh", "-euc", _pip_tools(job)]


def pins(text: str) -> dict[str, str]:
    """The versions in a resolver's output, by canonical name.

    Raises BuildError for a line that is no pin: then what was asked for has an
    address or an editable path in it, which cannot be locked.
    """
    found: dict[str, str] = {}
    for raw in text.splitlines():
        line = raw.partition(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        match = _PIN.match(line)
        if match is None:
            raise BuildError(f"the resolver gave a line that is no pin: {public(line)[:80]!r}")
        found[canonicalize_name(match[1])] = match[2]
    return found


def explained(error: BuildError, resolver: str, said: Sequence[str]) -> AirflowDebError:
    """``error`` as one that says what the resolver, which ``said`` that, ran into."""
    text = public("\n".join(said))
    detail = "\n".join(_telling(text.splitlines())[-20:])
    if _UNREACHABLE.search(text):
        return NetworkError(
            f"{resolver} cannot reach the package index",
            hint="; ".join(("check the network, the proxy and PIP_INDEX_URL", error.hint)),
            detail=detail,
        )
    if _UNSOLVABLE.search(text):
        return BuildError(
            "no set of versions satisfies what is asked for",
            hint="; ".join(
                ("write an override or a constraint with its reason into requirements/", error.hint)
            ),
            detail=detail,
        )
    return BuildError(f"{resolver} failed", hint=error.hint, detail=detail)


def _telling(lines: list[str]) -> list[str]:
    """``lines`` without the tracebacks in it: where pip fails says nothing, what it says does."""
    found = []
    frame = False
    for line in lines:
        header = line.startswith(('  File "', "Traceback (most recent call last)"))
        if not (header or (frame and line.startswith("    "))):
            found.append(line)
        frame = header or (frame and line.startswith("    "))
    return found


def _uv(job: Job) -> list[str]:
    words = [_UV, "pip", "compile", f"{_IN}/requirements.in", "--config-file", f"{_IN}/uv.toml"]
    words += ["--python", "/usr/bin/python3", "--exclude-newer", _moment(job.before)]
    words += ["--override", f"{_IN}/overrides.txt"] if job.overrides else []
    words += ["--constraint", f"{_IN}/constraints.txt"] if job.constraints else []
    words += ["--build-constraint", f"{_IN}/build.txt"] if job.build else []
    words += ["--only-binary", ":all:"] if job.wheels_only else []
    return [*words, "--quiet", "--no-header", "--no-annotate", "--output-file", _OUT]


def _pip_tools(job: Job) -> str:
    """pip-compile, first installed from its own lock.

    The date is pip's --uploaded-prior-to (26.0). The build tools are pinned by
    pip's own setting (25.3) because its build environments are processes of
    their own.
    """
    venv = "/opt/pip-tools"
    pip_args = f"--uploaded-prior-to={_moment(job.before)}"
    pip_args += " --only-binary=:all:" if job.wheels_only else ""
    compile_ = [f"{venv}/bin/pip-compile", f"{_IN}/requirements.in", "--output-file", _OUT]
    compile_ += ["--constraint", f"{_IN}/constraints.txt"] if job.constraints else []
    compile_ += ["--allow-unsafe", "--strip-extras", "--no-header", "--no-annotate", "--quiet"]
    compile_ += ["--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-options"]
    compile_ += ["--resolver", "backtracking", "--pip-args", pip_args]
    use_uv = [_UV, "--quiet", "--config-file", f"{_IN}/uv.toml"]
    install = [*use_uv, "pip", "install", "--python", f"{venv}/bin/python", "--no-deps"]
    install += ["--require-hashes", "--only-binary", ":all:", "-r", f"{_IN}/pip-tools.lock"]
    lines = [
        [*use_uv, "venv", "--python", "/usr/bin/python3", venv],
        install,
        ["export", f"PIP_CONFIG_FILE={_IN}/pip.conf", f"PIP_BUILD_CONSTRAINT={_IN}/build.txt"],
        compile_,
    ]
    return "\n".join(shlex.join(line) for line in lines)


def _lines(requirements: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in requirements)


def _moment(moment: datetime.datetime) -> str:
    """A moment with its time: of a bare date each tool has its own idea (and zone)."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""The bytecode that is packaged: the same wherever, and on however many processors, it is made.

On the Python of bullseye, where it was not: from 3.11 on, marshal no longer writes a name
that something else refers to, too, otherwise than one that nothing does.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_deb import container
from airflow_deb.container import Bind, Spec

PROJECT = Path(__file__).resolve().parents[2]
# Names as they are parts of paths that are built in, each used once.
MODULE = "def f(build):\n    return {!r}\n\n\ndef g(another):\n    pass\n"
MODULES = 500
OLD = "print 'Python 2'\n"


class Compiler:
    """Compiles some modules in any place of a container."""

    def __init__(self, root: Path, scratch: Path, modules: Path) -> None:
        self.said = ""
        self.spec = Spec(
            name="airflow-deb-test-bytecode",
            layers=(root,),
            scratch=scratch,
            binds=(Bind(PROJECT / "debian" / "lib", "/lib-of-debian"), Bind(modules, "/modules")),
            env={"PYTHONHASHSEED": "0"},
        )

    def at(self, tree: str, wrapper: str = "", kept: Path | None = None) -> dict[str, bytes]:
        """Every file of bytecode that is made in ``tree``, by its path below it.

        With ``kept`` as the directory of batches that were compiled before, to which those
        are added that were not; without it there are none.
        """
        script = f"""
            mkdir -p {tree} /kept
            cp -r /modules {tree}/lib
            {wrapper} python3 -B /lib-of-debian/bytecode.py {tree} /usr/lib/airflow /kept /new
        """
        binds = (*self.spec.binds, *((Bind(kept, "/kept"),) if kept else ()))
        spec = replace(self.spec, binds=binds)
        self.said = container.execute(spec, ["sh", "-euc", script]).stdout
        if kept:
            for file in (self.spec.upper / "new").iterdir():
                (kept / file.name[:2]).mkdir(exist_ok=True)
                shutil.copy(file, kept / file.name[:2])
        top = self.spec.upper / tree.lstrip("/")
        return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*.pyc")}


@pytest.fixture
def compiler(root: Path, scratch: Path, tmp_path: Path) -> Compiler:
    packages = tmp_path / "team"
    for number in range(MODULES):
        directory = packages / f"package{number // 50}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"module{number}.py").write_text(MODULE.format(f"text {number}"))
    (packages / "link.py").symlink_to("package0/module0.py")
    (packages / "old.py").write_text(OLD)
    return Compiler(root, scratch, tmp_path)


@pytest.fixture
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where nothing is kept yet."""
    return tmp_path_factory.mktemp("kept")


def test_neither_place_nor_processors_change_it(compiler: Compiler) -> None:
    usual = compiler.at("/build/airflow-2.1.0")
    assert len(usual) == MODULES
    assert compiler.at("/srv/another/place", "taskset --cpu-list 0") == usual


def test_it_is_never_checked_and_names_the_installed_file(compiler: Compiler) -> None:
    """PEP 552: flags 1, unchecked."""
    made = compiler.at("/build")["lib/team/package0/__pycache__/module0.cpython-39.pyc"]
    assert made[4:8] == (1).to_bytes(4, "little")
    assert b"/usr/lib/airflow/lib/team/package0/module0.py" in made
    assert b"/build/" not in made


def test_what_cannot_be_compiled_is_said(compiler: Compiler) -> None:
    compiler.at("/build")
    assert "cannot be imported: lib/team/old.py: SyntaxError" in compiler.said


def test_what_was_compiled_before_is_the_same(compiler: Compiler, kept: Path) -> None:
    """And what was found to be no Python is said again."""
    usual = compiler.at("/build")
    assert compiler.at("/build", kept=kept) == usual
    assert " 0 batches" not in compiler.said
    assert compiler.at("/srv/another/place", kept=kept) == usual
    assert " 0 batches compiled now" in compiler.said
    assert "cannot be imported: lib/team/old.py: SyntaxError" in compiler.said


def test_only_what_is_near_a_change_is_compiled_again(
    compiler: Compiler, tmp_path: Path, kept: Path
) -> None:
    """A module more in one package moves no boundary of another."""
    before = compiler.at("/build", kept=kept)
    (tmp_path / "team/package4/more.py").write_text("x = 1\n")
    after = compiler.at("/build", kept=kept)
    assert " 1 batches compiled now" in compiler.said
    assert after == compiler.at("/build")
    assert after.keys() - before.keys() == {"lib/team/package4/__pycache__/more.cpython-39.pyc"}

"""Compiled modules run where they are of these very sources, and are refused, aloud, wherever they are not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aegis_authz import native
from aegis_authz.native import MANIFEST, SUFFIX, Manifest, Mode, NativeFinder, NativeUnusable, digest, examine_folder

SOURCE = b"ANSWER = 1\n"


class Installed:
    """A build in a folder, of one module that has one source; nothing of it can be loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sources = folder / "native", folder / "sources"
        for place in (self.folder, self.sources):
            place.mkdir()
        (self.sources / "part.py").write_bytes(SOURCE)
        for name in ("part", "library"):
            (self.folder / f"{name}{SUFFIX}").touch()
        self.write()

    def write(self, **changes: Any) -> None:
        modules = {name: f"{name}{SUFFIX}" for name in ("part", "library")}
        manifest = Manifest(SUFFIX, "mypyc 1.0", {"part.py": digest(SOURCE)}, modules, "")
        (self.folder / MANIFEST).write_text(json.dumps(manifest._asdict() | changes))

    @property
    def trouble(self) -> str:
        return examine_folder(self.folder, self.sources).trouble


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path)


def test_a_build_of_these_sources_can_be_run(installed: Installed) -> None:
    assert installed.trouble == ""
    assert str(examine_folder(installed.folder, installed.sources)) == "compiled, 1 modules, mypyc 1.0"


def test_a_source_that_changed_since_is_named(installed: Installed) -> None:
    (installed.sources / "part.py").write_bytes(b"ANSWER = 2\n")
    assert installed.trouble == "they were made of other sources: part.py"


def test_a_source_that_is_gone_is_one_that_changed(installed: Installed) -> None:
    (installed.sources / "part.py").unlink()
    assert installed.trouble == "they were made of other sources: part.py"


def test_a_build_for_another_python_is_refused(installed: Installed) -> None:
    installed.write(suffix=".cpython-27.so")
    assert installed.trouble == f"they are of another Python: .cpython-27.so and not {SUFFIX}"


def test_a_build_that_lacks_a_file_is_refused(installed: Installed) -> None:
    (installed.folder / f"part{SUFFIX}").unlink()
    assert installed.trouble == f"files are missing: part{SUFFIX}"


def test_a_build_without_modules_is_refused(installed: Installed) -> None:
    installed.write(modules={})
    assert installed.trouble == "files are missing: all of them"


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"suffix": 1, "compiler": "", "sources": [], "modules": {}}']
)
def test_a_manifest_that_cannot_be_read_is_refused(installed: Installed, text: str) -> None:
    (installed.folder / MANIFEST).write_text(text)
    assert installed.trouble.startswith(f"its {MANIFEST} cannot be used")


def test_a_build_without_a_manifest_is_refused(installed: Installed) -> None:
    (installed.folder / MANIFEST).unlink()  # as when making it ended half way: it is written last
    assert installed.trouble == f"its {MANIFEST} cannot be used (FileNotFoundError)"
    assert str(examine_folder(installed.folder, installed.sources)).startswith("compiled, 0 modules")


def test_only_modules_of_the_build_are_found_in_it(installed: Installed) -> None:
    finder = NativeFinder(examine_folder(installed.folder, installed.sources))
    found = finder.find_spec("part")
    assert found is not None
    assert found.origin == str(installed.folder / f"part{SUFFIX}")
    assert finder.find_spec("other") is None


def test_the_mode_is_named_by_the_environment_and_auto_without() -> None:
    assert native.mode_of({}) is Mode.AUTO
    assert native.mode_of({native.VARIABLE: "required"}) is Mode.REQUIRED
    with pytest.raises(NativeUnusable, match="AEGIS_NATIVE is 'yes', and must be one of auto, off, required"):
        native.mode_of({native.VARIABLE: "yes"})


STALE = """
import sys
sys.path.insert(0, {folder!r})
from pathlib import Path
from aegis_authz import native
native._SOURCES = Path({sources!r})
"""
"""What makes a process find `Installed` as its build."""


def ran(installed: Installed, lines: str) -> subprocess.CompletedProcess[str]:
    """A process of its own in which `installed` is the build, under the name of the real one."""
    package = installed.folder.rename(installed.folder.with_name(native.DISTRIBUTION))
    (package / "__init__.py").touch()
    text = STALE.format(folder=str(package.parent), sources=str(installed.sources)) + lines
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False)


def test_other_sources_than_those_compiled_run_interpreted_and_it_is_told(installed: Installed) -> None:
    (installed.sources / "part.py").write_bytes(b"ANSWER = 2\n")
    process = ran(installed, "print(native.use(native.Mode.AUTO)); print(len(sys.meta_path)); print(native.state())")
    sentence = f"compiled modules are not used: they were made of other sources: part.py. {native.REMEDY}"
    assert process.stdout.splitlines()[0] == str(("interpreted", sentence))
    assert process.stdout.splitlines()[2].startswith("interpreted, for compiled modules cannot be used")


def test_other_sources_than_those_compiled_do_not_start_where_compiled_ones_are_required(installed: Installed) -> None:
    (installed.sources / "part.py").write_bytes(b"ANSWER = 2\n")
    process = ran(installed, "native.use(native.Mode.REQUIRED)")
    assert (
        "compiled modules are required (AEGIS_NATIVE), but they were made of other sources: part.py" in process.stderr
    )


def test_compiled_modules_come_before_their_sources_or_not_at_all(installed: Installed) -> None:
    process = ran(installed, "sys.modules['part'] = sys; native.use(native.Mode.AUTO)")
    assert "compiled modules come too late: part is imported already" in process.stderr


def test_compiled_modules_are_left_alone_where_they_are_off(installed: Installed) -> None:
    process = ran(
        installed, "before = len(sys.meta_path); print(native.use(native.Mode.OFF), len(sys.meta_path) - before)"
    )
    assert process.stdout.strip() == "('interpreted', '') 0"


def test_caches_that_are_left_of_a_build_are_none(tmp_path: Path) -> None:
    (tmp_path / native.DISTRIBUTION / "__pycache__").mkdir(parents=True)
    lines = STALE.format(folder=str(tmp_path), sources=str(tmp_path)) + "print(native.examine(), native.state())"
    command = [sys.executable, "-S", "-c", lines]  # -S: without what is installed
    environment = {**os.environ, "PYTHONPATH": str(Path(native.__file__).parents[1])}
    process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert process.stdout.strip() == "None interpreted"


def test_a_worker_says_what_it_runs_before_anything_else(tmp_path: Path) -> None:
    config = tmp_path / "authz.yaml"
    config.write_text("{}")
    command = [sys.executable, "-m", "aegis_authz.cli", "serve", "authz", "--config", str(config)]

    def start(mode: str) -> str:
        environment = {**os.environ, native.VARIABLE: mode}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        ).stderr.splitlines()[0]

    assert start("off").endswith("decides interpreted")
    assert start("perhaps") == "aegis serve authz: AEGIS_NATIVE is 'perhaps', and must be one of auto, off, required"

"""The wheel: what is in it, and that the product runs from it where nothing else is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UV = shutil.which("uv") or str(ROOT / ".venv" / ".uv" / "bin" / "uv")
PATIENCE = 600.0


def run(command: Sequence[str | Path], folder: Path, environment: dict[str, str]) -> str:
    """What the command prints; a command that fails fails the test with it."""
    done = subprocess.run(
        list(command),
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A terminal in which nothing of the checkout can be found."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**kept, "PYTHONSAFEPATH": "1", "COLUMNS": "160", "NO_COLOR": "1", "TERM": "dumb"}


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], ROOT, dict(os.environ))
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_sources_the_rego_the_policies_and_the_license(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "aegis_authz").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert sources <= names
    for folder in (
        ROOT / "rego",
        ROOT / "policies",
        ROOT / "deploy/sigma",
        ROOT / "deploy/grafana/dashboards",
        ROOT / "deploy/prometheus/rules",
    ):
        held = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert {f"aegis_authz/_{folder.name}/{name}" for name in held} <= names
    assert any(name.endswith("/licenses/LICENSE") for name in zipfile.ZipFile(wheel).namelist())


def test_the_demo_can_be_asked_what_it_does_from_the_wheel(
    wheel: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    room = tmp_path / "room"
    run([sys.executable, "-m", "venv", "--without-pip", room], tmp_path, environment)
    (packages,) = (room / "lib").glob("python*/site-packages")
    zipfile.ZipFile(wheel).extractall(packages)
    # the locked packages, but not the checkout: an editable install is a .pth, and those count in site-packages alone
    (locked,) = (Path(sys.prefix) / "lib").glob("python*/site-packages")
    python = room / "bin" / "python"
    with_locked = {**environment, "PYTHONPATH": str(locked)}
    place = run([python, "-c", "import aegis_authz; print(aegis_authz.__file__)"], tmp_path, with_locked)
    assert place.strip() == str(packages / "aegis_authz" / "__init__.py")
    assert "real Envoy, OPA, Redis" in run([python, "-m", "aegis_authz.cli", "demo", "--help"], tmp_path, with_locked)


@pytest.mark.slow
def test_the_demo_runs_from_the_wheel_in_an_empty_environment(
    wheel: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    room, nowhere = tmp_path / "room", tmp_path / "nowhere"
    nowhere.mkdir()
    run([sys.executable, "-m", "venv", "--without-pip", room], tmp_path, environment)
    install = [UV, "pip", "install", "--quiet", "--python", room / "bin" / "python"]
    run([*install, "--constraint", ROOT / "requirements" / "dev.txt", f"{wheel}[demo]"], tmp_path, environment)
    played = run([room / "bin" / "aegis", "demo"], nowhere, environment)
    assert played.rstrip().endswith("Every line is as expected.")

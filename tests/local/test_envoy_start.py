"""`aegis serve envoy`: it becomes Envoy, or says in its first line why not and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aegis_authz.local.pins import ENVOY_MINIMUM, dotted

SRC = Path(__file__).parents[2] / "src"
PATIENCE = 30
SAYS_ITS_ARGUMENTS = '#!/bin/sh\nif [ "$1" = --version ]; then echo "envoy  version: abc/{version}/Clean/RELEASE"; else echo "$$ $@"; fi\n'


def envoy(folder: Path, version: str) -> Path:
    """A program that says which version it is, and with which arguments it runs."""
    path = folder / "envoy"
    path.write_text(SAYS_ITS_ARGUMENTS.format(version=version))
    path.chmod(0o755)
    return path


def serve(binary: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command, without any package: the image of Envoy has none."""
    program = f"import sys; sys.path.insert(0, {str(SRC)!r}); from aegis_authz.cli import main; main()"
    command = [sys.executable, "-I", "-S", "-c", program, "serve", "envoy", *arguments]
    environment = {**os.environ, "AEGIS_ENVOY_BIN": str(binary)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_process_itself_becomes_envoy(tmp_path: Path) -> None:
    config = tmp_path / "envoy.yaml"
    config.write_text("{}")
    process = serve(envoy(tmp_path, dotted(ENVOY_MINIMUM)), "--config-path", str(config), "--concurrency", "3")
    said, complained = process.communicate(timeout=PATIENCE)
    assert (process.returncode, complained) == (0, "")
    pid, _, arguments = said.partition(" ")
    assert int(pid) == process.pid
    assert arguments.startswith(f"--config-path {config} ")
    assert "--concurrency 3 " in arguments


def test_it_waits_for_its_configuration_and_says_so(tmp_path: Path) -> None:
    config = tmp_path / "envoy.yaml"
    process = serve(envoy(tmp_path, dotted(ENVOY_MINIMUM)), "--config-path", str(config))
    assert process.stderr is not None
    assert process.stderr.readline() == (
        f"aegis serve envoy: waits for {config}, which `aegis serve routes` writes once OPA runs a bundle\n"
    )
    config.write_text("{}")
    said, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, f"--config-path {config}" in said) == (0, True)


def test_it_does_not_wait_for_ever(tmp_path: Path) -> None:
    config = tmp_path / "envoy.yaml"
    process = serve(envoy(tmp_path, dotted(ENVOY_MINIMUM)), "--config-path", str(config), "--wait", "0")
    said, complained = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (2, "")
    assert f"{config} was not written in 0 seconds; look at the log of `aegis serve routes`" in complained


@pytest.mark.parametrize("version", ["1.38.9", "0.1.0"])
def test_an_envoy_that_is_too_old_is_not_started(tmp_path: Path, version: str) -> None:
    config = tmp_path / "envoy.yaml"
    config.write_text("{}")
    process = serve(envoy(tmp_path, version), "--config-path", str(config))
    said, complained = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (2, "")
    assert f"is version {version}; {dotted(ENVOY_MINIMUM)} is needed" in complained.splitlines()[0]


def test_an_envoy_that_is_not_there_is_named(tmp_path: Path) -> None:
    process = serve(tmp_path / "none", "--config-path", str(tmp_path / "envoy.yaml"))
    _, complained = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert f"AEGIS_ENVOY_BIN names {tmp_path / 'none'}, which is not an executable file" in complained
    assert "Traceback" not in complained

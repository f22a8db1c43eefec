"""What `aegis` says where only a part of it is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from aegis_authz.cli import EXTRAS
from tests.support.missing_modules import without_modules


def aegis(missing: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", without_modules(missing), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("arguments", [(), ("--help",), ("policy", "validate"), ("token", "mint")])
def test_a_bare_installation_names_the_extra_of_the_commands(arguments: tuple[str, ...]) -> None:
    done = aegis(list(EXTRAS), *arguments)
    assert done.returncode == 2
    assert done.stderr == "aegis: typer is not installed; install the extra: pip install 'aegis-authz[cli]'\n"


def test_a_control_plane_without_its_extra_names_it(tmp_path: Path) -> None:
    config = tmp_path / "control.yaml"
    config.write_text("{}")
    done = aegis(list(EXTRAS), "serve", "control", "--config", str(config))
    assert done.returncode == 2
    assert re.fullmatch(
        r"aegis: \w+ is not installed; install the extra: pip install 'aegis-authz\[control\]'\n", done.stderr
    )


def test_a_control_plane_needs_no_extra_but_its_own(tmp_path: Path) -> None:
    config = tmp_path / "control.yaml"
    config.write_text("{}")
    foreign = [module for module, extra in EXTRAS.items() if extra != "control"]
    done = aegis(foreign, "serve", "control", "--config", str(config))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"aegis serve control: {config}: ")


@pytest.mark.parametrize(("module", "extra"), [("httpx2", "demo"), ("mcp", "agent")])
def test_the_demo_without_its_extra_names_it(module: str, extra: str) -> None:
    done = aegis([module], "demo")
    assert done.returncode == 2
    assert done.stderr == f"aegis: {module} is not installed; install the extra: pip install 'aegis-authz[{extra}]'\n"


def test_a_signer_without_its_extra_names_it() -> None:
    done = aegis(["aiohttp"], "agent", "proxy", "--listen", "127.0.0.1:0")
    assert done.returncode == 2
    assert done.stderr == "aegis: aiohttp is not installed; install the extra: pip install 'aegis-authz[agent]'\n"


def test_a_module_that_no_extra_brings_is_no_matter_of_extras() -> None:
    done = aegis(["yaml"], "serve", "control", "--config", __file__)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'yaml'"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "required: process"),
        (("authz",), "required: --config"),
        (("authz", "--config", "/nowhere/authz.yaml"), "there is no file /nowhere/authz.yaml"),
        (("authz", "--config", __file__, "--worker", "-1"), "'-1' is no number of a worker"),
    ],
)
def test_serve_says_what_is_wrong_with_its_arguments(arguments: tuple[str, ...], message: str) -> None:
    done = aegis(list(EXTRAS), "serve", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr

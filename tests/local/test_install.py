from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from aegis_authz.local import install, pins, servers
from aegis_authz.local.servers import ServerMissing


def _refuse_to_fetch(say: object) -> Path:
    raise AssertionError("nothing may be fetched here")


def _missing(name: str) -> ServerMissing:
    return ServerMissing(name, "not there", "Get it")


def _not_found() -> Path:
    raise _missing("redis-server")


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An apt-get that notes its words and installs nothing."""
    program = tmp_path / "apt-get"
    program.write_text('#!/bin/sh\necho "$DEBIAN_FRONTEND $@" >> "$0.calls"\n')
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(program) if name == "apt-get" else None)
    return program


def test_with_everything_there_it_ends_at_once(
    opa_binary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "fetch_opa", _refuse_to_fetch)
    assert install.main([]) == 0
    assert "ready: envoy" in capsys.readouterr().err


def test_a_named_opa_that_does_not_fit_is_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "fetch_opa", _refuse_to_fetch)
    monkeypatch.setenv("AEGIS_OPA_BIN", str(tmp_path / "nowhere"))
    assert install.main(["--opa"]) == 1
    assert "cannot go on: opa: AEGIS_OPA_BIN names" in capsys.readouterr().err


def test_an_interrupted_installation_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(servers, "find_opa", interrupted)
    assert install.main(["--opa"]) == 130


def test_root_gets_the_debian_redis_when_there_is_none(
    opa_binary: Path, apt: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(servers, "find_redis", _not_found)
    assert install.main([]) == 1  # this apt-get installs nothing, so it is still missing
    calls = Path(f"{apt}.calls").read_text().splitlines()
    assert calls[0] == "noninteractive update --quiet"
    assert calls[1].endswith(f"--no-install-recommends {pins.REDIS_APT_PACKAGE}")
    assert "cannot go on: redis-server: not there. Get it" in capsys.readouterr().err


def test_others_are_told_how_to_get_redis(opa_binary: Path, apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(servers, "find_redis", _not_found)
    assert install.main([]) == 1
    assert not Path(f"{apt}.calls").exists()


def test_nothing_is_installed_by_apt_before_the_python_packages(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_envoy() -> Path:
        raise _missing("envoy")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(servers, "find_envoy", no_envoy)
    monkeypatch.setattr(servers, "find_redis", _not_found)
    assert install.main([]) == 1
    assert not Path(f"{apt}.calls").exists()

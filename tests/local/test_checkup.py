from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path

import pytest

from aegis_authz.local import checkup
from aegis_authz.local.checkup import Prerequisite, check_machine
from aegis_authz.local.servers import ServerMissing


def named(findings: list[Prerequisite], name: str) -> Prerequisite:
    return next(finding for finding in findings if finding.name == name)


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, requires: list[str], versions: dict[str, str]) -> None:
    """Put distributions first on the path: aegis-authz with these requirements, and what else is installed."""
    path = folder / "site"
    for name, version, needs in [("aegis-authz", "1.0", requires), *((n, v, []) for n, v in versions.items())]:
        info = path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        lines = [
            "Metadata-Version: 2.1",
            f"Name: {name}",
            f"Version: {version}",
            *(f"Requires-Dist: {n}" for n in needs),
        ]
        (info / "METADATA").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(str(path))


def test_a_package_that_is_missing_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path, ["orjson<4,>=3.11", "made-up>=0.29"], {"orjson": "3.12.1"})
    findings = check_machine(tmp_path)
    assert named(findings, "orjson") == Prerequisite("orjson", "3.12.1", "", "")
    assert named(findings, "made-up").trouble == "not installed"
    assert "make setup" in named(findings, "made-up").remedy


@pytest.mark.parametrize(
    ("version", "trouble"),
    [
        ("8.1", ""),
        ("8.1.0", ""),
        ("8.20.3", ""),
        ("8.0.9", "version <9,>=8.1 is needed"),
        ("9", "version <9,>=8.1 is needed"),
        ("9.0.1rc1", "version <9,>=8.1 is needed"),
    ],
)
def test_a_version_out_of_bounds_is_a_trouble(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, trouble: str
) -> None:
    install(monkeypatch, tmp_path, ["redis[hiredis]<9,>=8.1"], {"redis": version})
    assert named(check_machine(tmp_path), "redis").trouble == trouble


def test_optional_packages_are_not_missed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path, ["mcp>=2; extra == 'demo'"], {})
    assert not any(finding.name == "mcp" for finding in check_machine(tmp_path))


def test_aegis_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nothing(name: str) -> importlib.metadata.Distribution:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", nothing)
    assert named(check_machine(tmp_path), "aegis-authz").trouble == "not installed"


def test_a_server_that_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_opa() -> Path:
        raise ServerMissing("opa", "no opa is on PATH", "Run `make setup`")

    monkeypatch.setitem(checkup._FINDERS, "opa", no_opa)
    assert named(check_machine(tmp_path), "opa server") == Prerequisite(
        "opa server", "", "no opa is on PATH", "Run `make setup`"
    )
    assert named(check_machine(tmp_path), "envoy server").trouble == ""


def test_the_servers_are_there_with_their_versions(tmp_path: Path) -> None:
    findings = check_machine(tmp_path)
    for name in ("envoy", "opa", "redis"):
        assert named(findings, f"{name} server").found[0].isdigit()


def test_a_folder_that_cannot_be_written_is_a_trouble(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be written" in named(check_machine(tmp_path / "file" / "mesh"), "state folder").trouble
    assert named(check_machine(tmp_path / "new" / "mesh"), "state folder").trouble == ""
    monkeypatch.setattr(checkup.os, "access", lambda *_: False)
    assert "cannot be written" in named(check_machine(tmp_path), "folder for sockets").trouble


def test_a_full_disk_is_a_trouble(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(checkup.shutil, "disk_usage", lambda _: usage._replace(free=10 * 2**20))
    assert named(check_machine(tmp_path), "state folder").trouble == "only 10 MiB free, 512 are needed"

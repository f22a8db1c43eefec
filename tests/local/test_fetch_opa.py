from __future__ import annotations

import hashlib
import shutil
import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aegis_authz.local import fetch_opa as module
from aegis_authz.local import pins, program_cache
from aegis_authz.local.fetch_opa import fetch_opa, release_name
from aegis_authz.local.servers import ServerMissing, cached_opa

BINARY = f"#!/bin/sh\necho 'Version: {pins.OPA_VERSION}'\n"
FAKE_GO = """#!/bin/sh
echo "$@" >> "$0.calls"
test "$GOOS$GOARCH" = "" || exit 3
printf '%s\\n' '#!/bin/sh' "echo 'Version: {version}'" > "$GOBIN/opa"
chmod +x "$GOBIN/opa"
"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the tests judge what arrives."""


class _Release:
    """A folder served as the place of the official release."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = release_name() or ""

    def publish(self, binary: str, checksum: str | None = None) -> None:
        (self.folder / self.name).write_text(binary)
        text = checksum if checksum is not None else f"{hashlib.sha256(binary.encode()).hexdigest()}  {self.name}\n"
        (self.folder / f"{self.name}.sha256").write_text(text)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no Go anywhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(program_cache, "_GO_OFF_PATH", tmp_path / "no-go")
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(shutil, "which", lambda name: _which(tmp_path / "bin" / name))
    return tmp_path / "cache"


def _which(path: Path) -> str | None:
    return str(path) if path.exists() else None


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """A Go that builds at once and notes each call beside itself."""
    return _go(tmp_path, pins.OPA_VERSION)


def _go(tmp_path: Path, version: str) -> Path:
    program = tmp_path / "bin" / "go"
    program.write_text(FAKE_GO.format(version=version))
    program.chmod(0o755)
    return program


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Release]:
    folder = tmp_path / "release"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    monkeypatch.setattr(pins, "OPA_RELEASE", f"http://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield _Release(folder)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def no_release(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setattr(pins, "OPA_RELEASE", f"http://127.0.0.1:{port}/")


def test_the_release_is_downloaded_and_put_in_place(release: _Release) -> None:
    release.publish(BINARY)
    said: list[str] = []
    path = fetch_opa(said.append)
    assert path == cached_opa()
    assert path.read_text() == BINARY
    assert path.stat().st_mode & 0o777 == 0o755
    assert said == [f"downloading OPA {pins.OPA_VERSION}"]
    assert sorted(found.name for found in path.parent.iterdir()) == [".lock", "opa"]


def test_the_second_time_nothing_is_fetched(release: _Release) -> None:
    release.publish(BINARY)
    fetch_opa(print)
    release.publish("", "")
    said: list[str] = []
    assert fetch_opa(said.append).read_text() == BINARY
    assert said == []


@pytest.mark.parametrize("checksum", ["0" * 64, "", "not a checksum", "<html>"])
def test_a_download_that_does_not_match_is_never_used(release: _Release, go: Path, checksum: str) -> None:
    release.publish("#!/bin/sh\necho evil\n", checksum)
    said: list[str] = []
    assert "evil" not in fetch_opa(said.append).read_text()
    assert "SHA-256" in said[-1]


def test_without_a_release_it_is_built_with_go(no_release: None, go: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOS", "plan9")
    path = fetch_opa(lambda line: None)
    assert path.read_text().startswith("#!/bin/sh")
    calls = Path(f"{go}.calls").read_text()
    assert calls.strip().endswith(f"-tags opa_no_oci {pins.OPA_MODULE}@v{pins.OPA_VERSION}")


def test_a_network_that_does_not_answer_is_given_up(go: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GIVE_UP_AFTER", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(pins, "OPA_RELEASE", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        said: list[str] = []
        fetch_opa(said.append)
    assert said[0].startswith(("no release binary (no answer within 0.1 s)", "no release binary (timed out)"))


def test_with_neither_way_both_reasons_are_told(no_release: None) -> None:
    with pytest.raises(ServerMissing, match=r"cannot be downloaded \(.*refused.*\).*no go is on PATH.*AEGIS_OPA_BIN"):
        fetch_opa(lambda line: None)
    assert not cached_opa().exists()


def test_what_go_complains_of_is_told(no_release: None, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "go"
    program.write_text("#!/bin/sh\necho 'no space left on device' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(ServerMissing, match="no space left on device"):
        fetch_opa(lambda line: None)
    assert [found.name for found in cached_opa().parent.iterdir()] == [".lock"]


def test_a_build_of_another_version_is_not_kept(no_release: None, tmp_path: Path) -> None:
    _go(tmp_path, "0.70.0")
    with pytest.raises(ServerMissing, match=r"version 0\.70\.0"):
        fetch_opa(lambda line: None)
    assert not cached_opa().exists()


def test_two_installations_at_once_build_once(no_release: None, go: Path) -> None:
    start = threading.Barrier(2)
    paths: list[Path] = []

    def install() -> None:
        start.wait(timeout=10)
        paths.append(fetch_opa(lambda line: None))

    threads = [threading.Thread(target=install) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert paths == [cached_opa(), cached_opa()]
    assert len(Path(f"{go}.calls").read_text().splitlines()) == 1

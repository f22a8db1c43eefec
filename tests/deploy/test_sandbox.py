"""deploy/sandbox/bubblewrap with the real bubblewrap: what a program inside reaches, and what it does without it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SANDBOX = ROOT / "deploy" / "sandbox" / "bubblewrap"
PROBES = Path(__file__).parent / "programs" / "sandbox_probes.py"
PAGE = (ROOT / "docs" / "sandboxing.md").read_text("utf-8")
MISSING = [program for program in ("bwrap", "socat") if shutil.which(program) is None]
PYTHON = "/usr/bin/python3"

pytestmark = pytest.mark.skipif(
    bool(MISSING) or not Path(PYTHON).exists(),
    reason=f"the sandbox is NOT tested: apt-get install bubblewrap socat python3 (missing: {MISSING})",
)


@dataclass
class Outside:
    """Servers that write down what reaches them, and what a program must be told to look for them."""

    stack: ExitStack
    seen: list[str] = field(default_factory=list)

    def server(self, name: str, family: int, kind: int, address: Any) -> Any:
        """Listen there; returns the address."""
        server = self.stack.enter_context(socket.socket(family, kind))
        server.bind(address)
        if kind == socket.SOCK_STREAM:
            server.listen()
        serve = self._serve if kind == socket.SOCK_STREAM else self._echo
        threading.Thread(target=serve, args=(server, name), daemon=True).start()
        return server.getsockname()

    def _serve(self, server: socket.socket, name: str) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return  # closed: the test is over
            with client:
                if request := client.recv(1000).decode():
                    self.seen.append(f"{name}: {request.splitlines()[0]}")
                    client.sendall(f"HTTP/1.0 200 OK\r\n\r\nfrom {name}".encode())

    def _echo(self, server: socket.socket, name: str) -> None:
        while True:
            try:
                message, sender = server.recvfrom(1000)
            except OSError:
                return
            self.seen.append(f"{name}: {message.decode()}")
            server.sendto(b"from datagram", sender)


@pytest.fixture
def outside() -> Iterator[Outside]:
    with ExitStack() as stack:
        yield Outside(stack)


def places(outside: Outside, folder: Path) -> dict[str, Any]:
    host = "127.0.0.2"  # another address of this machine
    abstract = f"aegis-{secrets.token_hex(8)}"
    path, secret = folder / "s", folder / "secret"
    secret.write_text("a secret", "utf-8")
    tcp = outside.server("tcp", socket.AF_INET, socket.SOCK_STREAM, ("", 0))[1]
    udp = outside.server("udp", socket.AF_INET, socket.SOCK_DGRAM, ("", 0))[1]
    outside.server("abstract", socket.AF_UNIX, socket.SOCK_STREAM, "\0" + abstract)
    outside.server("socket", socket.AF_UNIX, socket.SOCK_STREAM, str(path))
    return {
        "host": host, "tcp": tcp, "udp": udp, "abstract": abstract,
        "socket": str(path), "file": str(secret), "pid": os.getpid(),
    }  # fmt: skip


def run_inside(port: int, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SANDBOX), str(port), str(folder), *command], capture_output=True, text=True, check=False, timeout=120
    )


def test_inside_there_is_the_proxy_and_nothing_else(outside: Outside, tmp_path: Path) -> None:
    told = json.dumps(places(outside, tmp_path))
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(PROBES, work / "probes.py")
    bare = subprocess.run([PYTHON, str(work / "probes.py"), told], capture_output=True, text=True, check=True)
    reached = {way for way, said in json.loads(bare.stdout).items() if said.startswith("reached")}
    # what a probe does not reach without the sandbox proves nothing with it
    assert reached >= {"loopback", "address", "datagram", "abstract socket", "socket in a folder", "file", "process"}
    outside.seen.clear()
    port = outside.server("proxy", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))[1]
    done = run_inside(port, work, PYTHON, "/work/probes.py", told)
    outcomes = json.loads(done.stdout)
    assert {way for way, said in outcomes.items() if said.startswith("reached")} == set(), outcomes
    assert outside.seen == []
    call = "import urllib.request; print(urllib.request.urlopen('http://api.example/v1').read().decode())"
    done = run_inside(port, work, PYTHON, "-c", call)
    assert (done.returncode, done.stdout.strip()) == (0, "from proxy"), done.stderr
    assert outside.seen == ["proxy: GET http://api.example/v1 HTTP/1.1"]


def test_a_program_inside_is_nobody_and_its_end_is_the_end_of_all(outside: Outside, tmp_path: Path) -> None:
    port = outside.server("proxy", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))[1]
    look = (
        "import json, os; status = dict(line.split(':', 1) for line in open('/proc/self/status'));"
        "print(json.dumps([os.getuid(), sorted(os.environ), status['CapBnd'].strip(), status['NoNewPrivs'].strip(),"
        " [name for name in os.listdir('/') if os.access('/' + name, os.W_OK) and name not in ('work', 'tmp', 'proc')],"
        " os.listdir('/tmp')])); raise SystemExit(7)"
    )
    done = run_inside(port, tmp_path, PYTHON, "-c", look)
    assert done.returncode == 7, done.stderr
    user, variables, capabilities, no_more, writable, temporary = json.loads(done.stdout)
    assert (user, int(capabilities, 16), no_more, temporary) == (10003, 0, "1", [])
    assert set(writable) <= {"dev"}
    assert not {name for name in variables if "TOKEN" in name or "SECRET" in name}
    assert {"HTTP_PROXY", "HTTPS_PROXY", "SSL_CERT_FILE", "HOME"} <= set(variables)


def test_without_a_proxy_nothing_is_reached(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    call = "import urllib.request; urllib.request.urlopen('http://api.example/v1', timeout=5)"
    assert run_inside(port, tmp_path, PYTHON, "-c", call).returncode != 0


def test_the_page_names_the_words_that_hold_it() -> None:
    script = SANDBOX.read_text("utf-8")
    for word in ("--unshare-all", "--new-session", "--cap-drop ALL", "--disable-userns", "--die-with-parent"):
        assert word in script
        assert f"`{word}`" in PAGE

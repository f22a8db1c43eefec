"""The KV engine (version 2) and the methods of authentication of Vault, as far as reading secrets goes, as OpenBao 2.7
answers them; it keeps what it was asked.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN, ACCOUNT, GIVEN = "kv-token-of-tests", "account.of.tests", "given-token-of-tests"


@dataclass
class Kv:
    """What the server holds: `secrets` by their path, `mount/path`."""

    url: str = ""
    secrets: dict[str, Any] = field(default_factory=dict)
    live: set[str] = field(default_factory=lambda: {TOKEN})
    asked: list[tuple[str, str]] = field(default_factory=list)
    namespaces: set[str] = field(default_factory=set)
    answer: tuple[int, bytes] | None = None

    def reply(self, method: str, path: str, token: str, body: Any) -> tuple[int, Any]:
        """The status and the body for a request."""
        self.asked.append((method, path))
        if (method, path) == ("POST", "/v1/auth/kubernetes/login"):
            if body != {"role": "aegis", "jwt": ACCOUNT}:
                return 403, {"errors": ["permission denied"]}
            self.live.add(GIVEN)
            return 200, {"auth": {"client_token": GIVEN, "lease_duration": 3600, "renewable": True}, "data": None}
        if token not in self.live:
            return 403, {"errors": ["permission denied"]}
        if (method, path) == ("POST", "/v1/auth/token/revoke-self"):
            self.live.remove(token)
            return 204, None
        mount, _, rest = path.removeprefix("/v1/").partition("/data/")
        secret = self.secrets.get(f"{mount}/{rest}")
        if method != "GET" or secret is None:
            return 404, {"errors": []}
        metadata = {"version": 1, "deletion_time": "", "destroyed": False, "custom_metadata": None}
        return 200, {
            "request_id": "r",
            "lease_id": "",
            "data": {"data": secret, "metadata": metadata},
            "warnings": None,
        }


@contextmanager
def kv_server() -> Iterator[Kv]:
    """Serve one until the block ends."""
    kv = Kv()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            kv.namespaces.add(self.headers.get("x-vault-namespace", ""))
            token = self.headers.get("x-vault-token", "")
            status, content = kv.reply(self.command, self.path, token, json.loads(raw) if raw else None)
            payload = b"" if content is None else json.dumps(content).encode()
            if kv.answer is not None:
                status, payload = kv.answer
            self.send_response(status)
            self.send_header("content-length", str(len(payload)))
            self.send_header("location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = _answer

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        kv.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield kv
        finally:
            server.shutdown()
            thread.join()

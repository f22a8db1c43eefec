"""The HTTP of Vault: what a request says is given to `reply`, and its answer sent as JSON."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[[str, str, Mapping[str, str], Any], tuple[int, bytes]]
"""Method, path, headers by names in lower case, and the body's JSON; the status and the bytes of the answer."""


def json_bytes(content: object) -> bytes:
    """JSON; of None no bytes."""
    return b"" if content is None else json.dumps(content).encode()


@contextmanager
def vault_http(reply: Reply) -> Iterator[str]:
    """Serve it on loopback until the block ends; the URL. Every answer has a `location`, which nobody may follow."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, payload = reply(self.command, self.path, headers, json.loads(raw) if raw else None)
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
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()

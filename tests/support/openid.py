"""An OpenID provider on loopback that says what a test wants, signs it, and keeps what it was asked."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

KEY = rsa.generate_private_key(65537, 2048)
CLIENT, SECRET = "aegis", "for/this test+alone%"


@dataclass
class Provider:
    """What it answers: members are changed by tests. `claims` go into the ID token beside iss, aud, iat, exp, nonce;
    `sign` replaces how it signs them.
    """

    issuer: str
    key: rsa.RSAPrivateKey
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "u-1"})
    userinfo: dict[str, Any] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[dict[str, Any]], str] | None = None
    is_down: bool = False
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def authorize(self, url: str) -> str:
        """What a browser is answered that was sent to this URL, signed in already: where it is sent back to."""
        question = {name: values[0] for name, values in parse_qs(urlsplit(url).query, strict_parsing=True).items()}
        assert (question["response_type"], question["client_id"]) == ("code", CLIENT)
        assert question["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}"
        self.codes[code] = question
        return f"{question['redirect_uri']}?code={code}&state={question['state']}&iss={self.issuer}"

    def discovery(self) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0, section 3."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth?tenant=1",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/me",
            "end_session_endpoint": f"{self.issuer}/end",
            "jwks_uri": f"{self.issuer}/jwks",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            **self.configuration,
        }

    def jwks(self) -> dict[str, Any]:
        """Its public key."""
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**jwk, "kid": "now", "use": "sig", "alg": "RS256"}]}

    def redeemed(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """RFC 6749 section 4.1.3, RFC 7636 section 4.6."""
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode("ascii").partition(":")
        if (unquote_plus(pair[0]), unquote_plus(pair[2])) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client", "error_description": SECRET}
        question = self.codes.pop(form.get("code", ""), None)  # good once
        verifier = hashlib.sha256(form.get("code_verifier", "").encode("ascii")).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode("ascii").rstrip("=")
        is_own = question is not None and question["code_challenge"] == challenge
        if question is None or not is_own or question["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant", "error_description": form.get("code", "")}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": question["nonce"]}
        claims = {name: value for name, value in {**claims, **self.claims}.items() if value is not None}
        sign = self.sign or (lambda claims: jwt.encode(claims, self.key, "RS256", {"kid": "now"}))
        token = sign(claims)
        return 200, {"id_token": token, "access_token": "opaque", "token_type": "Bearer"}


@contextmanager
def provider(port: int = 0) -> Iterator[Provider]:
    """Serve one until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            own.asked.append(path)
            if path == "/me":
                is_asked = self.headers["authorization"] == "Bearer opaque"
                self._answer(200 if is_asked else 401, own.userinfo)
                return
            answers = {"/.well-known/openid-configuration": own.discovery, "/jwks": own.jwks}
            self._answer(200, answers[path]())

        def do_POST(self) -> None:
            own.asked.append(self.path)
            body = self.rfile.read(int(self.headers["content-length"])).decode("ascii")
            form = {name: values[0] for name, values in parse_qs(body, strict_parsing=True).items()}
            self._answer(*own.redeemed(form, self.headers.get("authorization", "")))

        def _answer(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode("utf-8")
            self.send_response(500 if own.is_down else status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    own = Provider(f"http://127.0.0.1:{server.server_port}", KEY)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield own
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

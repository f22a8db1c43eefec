"""A mesh small enough for one test: it issues bound tokens and judges proofs by the letter, with PyJWT and nothing of ours."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.agent.mesh import MeshAddress, MeshCaller, mesh_session
from aegis_authz.agent.proof import ProofKey
from aegis_authz.agent.serving import Listening, serving
from aegis_authz.agent.signer import Signer
from aegis_authz.agent.token_endpoint import TokenEndpoint
from aegis_authz.agent.tokens import TokenKeeper
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch

AGENT = Scope("acme", "emea", "coding-agent")
AUDIENCE = "small-mesh"
HOP_BY_HOP = {"connection", "content-length", "host", "transfer-encoding"}


def digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def new_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def proof_key(key: Ed25519PrivateKey) -> ProofKey:
    return ProofKey(key, lambda: Epoch(time.time()), lambda: secrets.token_hex(16))


def thumbprint_of(jwk: Mapping[str, str]) -> str:
    canonical = json.dumps({name: jwk[name] for name in ("crv", "kty", "x")}, separators=(",", ":"), sort_keys=True)
    return digest(canonical.encode())


class SmallMesh:
    """A control plane, and a tool behind an authorizer. It keeps every request that passed, and each refusal."""

    def __init__(self) -> None:
        self._issuer = new_key()
        self.keys: dict[str, Any] = {}
        self.subjects: dict[str, Any] = {}
        """Tokens of another issuer, and the public key that each is exchanged for."""
        self.life = 300
        self.is_away = False
        self.tokens_issued = 0
        self.passed: list[dict[str, Any]] = []
        self.refusals: list[str] = []
        self.gate = asyncio.Event()
        self.cancelled = asyncio.Event()
        self._jtis: set[str] = set()
        self.authorities: Any = None
        """What it says of certificate authorities, None for a mesh that has none."""
        self.url = ""
        self.code = ""
        self.upstream = ""
        """Where the tool really is; "" for the one of this file."""

    def enrol(self, key: Ed25519PrivateKey) -> None:
        public = key.public_key()
        x = base64.urlsafe_b64encode(public.public_bytes_raw()).rstrip(b"=").decode()
        self.keys[thumbprint_of({"kty": "OKP", "crv": "Ed25519", "x": x})] = public

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            if request.path == "/v1/enroll":
                return await self._enrol(request)
            if request.path == "/v1/authorities":
                status = 503 if self.is_away else 200 if self.authorities is not None else 404
                return web.json_response(self.authorities, status=status)
            if request.path == "/v1/token":
                return await self._token(request)
            return await self._judge(request)
        except (AssertionError, jwt.PyJWTError, KeyError) as fault:
            self.refusals.append(repr(fault))
            return web.json_response({"error": "invalid_client", "detail": repr(fault)}, status=401)

    async def _enrol(self, request: web.BaseRequest) -> web.Response:
        body = json.loads(await request.content.read())
        assert set(body) == {"code", "jwk", "proof"}
        if body["code"] != self.code:
            return web.json_response({"detail": "the code is unknown, used or over; ask for another one"}, status=403)
        header = jwt.get_unverified_header(body["proof"])
        assert (header["typ"], header["jwk"]) == ("aegis-enrol+jwt", body["jwk"])
        key = jwt.PyJWK(body["jwk"], "EdDSA").key
        claims = jwt.decode(body["proof"], key, algorithms=["EdDSA"], audience=f"{self.url}/v1/enroll")
        assert claims["code_hash"] == digest(body["code"].encode())
        self.code = ""
        self.keys[thumbprint_of(body["jwk"])] = key
        places = {"forward_proxy": self.url, "reverse": self.url}
        terms = {"issuer": "aegis", "audience": AUDIENCE, "token_endpoint": f"{self.url}/v1/token", "mesh": places}
        return web.json_response({"agent": str(AGENT), **terms})

    async def _token(self, request: web.BaseRequest) -> web.Response:
        if self.is_away:
            return web.json_response({"error": "temporarily_unavailable"}, status=503)
        form = await request.post()
        if form["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange":
            return self._exchanged(request, form)
        assert form["grant_type"] == "client_credentials"
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        assertion = str(form["client_assertion"])
        kid = jwt.get_unverified_header(assertion)["kid"]
        endpoint = f"{self.url}/v1/token"
        claims = jwt.decode(assertion, self.keys[kid], algorithms=["EdDSA"], audience=endpoint)
        assert claims["iss"] == claims["sub"] == str(AGENT)
        assert claims["exp"] - claims["iat"] <= 60
        self._once(claims["jti"])
        return self._issued(request, kid)

    def _exchanged(self, request: web.BaseRequest, form: Mapping[str, Any]) -> web.Response:
        assert set(form) == {"grant_type", "subject_token", "subject_token_type"}
        assert form["subject_token_type"] == "urn:ietf:params:oauth:token-type:jwt"
        assert form["subject_token"] in self.subjects, "nobody's"
        x = base64.urlsafe_b64encode(self.subjects[form["subject_token"]].public_bytes_raw()).rstrip(b"=").decode()
        return self._issued(request, thumbprint_of({"kty": "OKP", "crv": "Ed25519", "x": x}))

    def _issued(self, request: web.BaseRequest, kid: str) -> web.Response:
        endpoint = f"{self.url}/v1/token"
        jwk, proof = _proof(request.headers["DPoP"])
        assert thumbprint_of(jwk) == kid
        assert (proof["htm"], proof["htu"], "ath" in proof) == ("POST", endpoint, False)
        self._once(proof["jti"])
        self.tokens_issued += 1
        now = time.time()
        token = jwt.encode(
            {"sub": str(AGENT), "aud": AUDIENCE, "exp": now + self.life, "cnf": {"jkt": kid}}, self._issuer, "EdDSA"
        )
        return web.json_response({"access_token": token, "token_type": "DPoP", "expires_in": self.life})

    async def _judge(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        (token,), (proof_text,) = request.headers.getall("x-aegis-token"), request.headers.getall("x-aegis-proof")
        bound = jwt.decode(token, self._issuer.public_key(), algorithms=["EdDSA"], audience=AUDIENCE)["cnf"]["jkt"]
        jwk, proof = _proof(proof_text)
        assert thumbprint_of(jwk) == bound
        target = request.raw_path if "://" in request.raw_path else f"http://{request.host}{request.raw_path}"
        assert (proof["htm"], proof["htu"]) == (request.method, target)
        assert proof["ath"] == digest(token.encode())
        assert proof.get("bh") == (digest(body) if body else None)
        assert abs(proof["iat"] - time.time()) < 30
        self._once(proof["jti"])
        self.passed.append(
            {"method": request.method, "target": request.raw_path, "headers": request.headers.copy(), "body": body}
        )
        return await (self._forward(request, body) if self.upstream else self._tool(request, body))

    async def _forward(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(request.method, self.upstream, headers=headers, data=body or None) as answer,
        ):
            response = web.StreamResponse(status=answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    response.headers[name] = value
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            return response

    async def _tool(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        match urlsplit(request.raw_path).path.rpartition("/")[2]:
            case "events":
                return await self._events(request)
            case "cut":
                response = web.StreamResponse(headers={"content-length": "100"})
                await response.prepare(request)
                await response.write(b"half")
                request.transport.abort()  # type: ignore[union-attr]  # a connection that answers has one
                return response
            case "packed":
                return web.Response(body=b"\x1f\x8bnot really gzip", headers={"content-encoding": "gzip"})
            case "elsewhere":
                return web.Response(status=307, headers={"location": "http://tool.example/next"})
            case "denied":
                return web.json_response({"reason": "POLICY_DENIED"}, status=403)
            case _:
                return web.Response(body=body or b"done", headers={"x-tool": "yes"})

    async def _events(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            await response.write(b"data: 1\n\n")
            await self.gate.wait()
            await response.write(b"data: 2\n\n")
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return response

    def _once(self, jti: str) -> None:
        assert jti not in self._jtis, "replayed"
        self._jtis.add(jti)


def _proof(text: str) -> tuple[dict[str, str], dict[str, Any]]:
    header = jwt.get_unverified_header(text)
    assert (header["typ"], header["alg"]) == ("dpop+jwt", "EdDSA")
    assert set(header["jwk"]) == {"kty", "crv", "x"}
    return header["jwk"], jwt.decode(text, jwt.PyJWK(header["jwk"], "EdDSA").key, algorithms=["EdDSA"])


@asynccontextmanager
async def small_mesh() -> AsyncIterator[SmallMesh]:
    mesh = SmallMesh()
    runner = web.ServerRunner(web.Server(mesh, handler_cancellation=True, auto_decompress=False), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    mesh.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield mesh
    finally:
        mesh.gate.set()
        await runner.cleanup()


@asynccontextmanager
async def calling(mesh: SmallMesh, key: Ed25519PrivateKey) -> AsyncIterator[MeshCaller]:
    """Calls into this mesh as the agent whose key this is."""
    async with mesh_session() as session:
        endpoint = TokenEndpoint(session, f"{mesh.url}/v1/token", AGENT, proof_key(key))
        keeper = TokenKeeper(endpoint.obtain, time.monotonic, lambda _: None, lambda: 0.0)
        yield MeshCaller(session, MeshAddress(mesh.url, mesh.url), proof_key(key), keeper.token)


@asynccontextmanager
async def signing(mesh: SmallMesh, listen: str = "127.0.0.1:0") -> AsyncIterator[Listening]:
    """A signer of an enrolled agent in front of this mesh."""
    key = new_key()
    mesh.enrol(key)
    async with calling(mesh, key) as caller, serving(Signer(caller, os.getuid()), listen) as listening:
        yield listening

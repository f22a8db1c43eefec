"""Makes the signed calls of a load ready, and sends them with vegeta."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.units import Epoch
from aegis_authz.load.calls import Call, Signer, mixed, write_targets
from aegis_authz.load.outcome import Outcome
from aegis_authz.load.proven_calls import BoundSigner
from aegis_authz.load.vegeta import Plan, attack
from benchmarks.measure.rounds import Entrant


class Vegeta:
    """Loads of the same two calls for all: one that is allowed, and among 20 one that must be denied.

    Files of calls are kept in `folder` until they are sent.
    """

    def __init__(self, binary: Path, folder: Path, signer: Signer, allowed: Call, denied: Call) -> None:
        self._binary = binary
        self._folder = folder
        self._signer = signer
        self._allowed = allowed
        self._mixed = mixed(allowed, denied)
        self._bound = BoundSigner(signer, Ed25519PrivateKey.generate())

    async def prepare(self, contender: Entrant, count: int) -> Path:
        """That many calls, each with a token or proof of its own where the contender reads tokens. Raises OSError."""
        path = self._folder / f"{secrets.token_hex(8)}.jsonl"
        calls = self._mixed if contender.judges else (self._allowed,)
        if contender.proves:
            run, now = secrets.token_hex(8), Epoch(time.time())
            await asyncio.to_thread(self._bound.write_targets, path, contender.url, calls, run, now, count)
            return path
        await asyncio.to_thread(write_targets, path, contender.url, calls, self._tokens(contender, count))
        return path

    async def send(self, calls: Path, plan: Plan) -> Outcome:
        """Send them, each once at most. Raises LoadFailed and OSError."""
        try:
            return await attack(self._binary, calls, plan)
        finally:
            calls.unlink()  # noqa: ASYNC240  # a file that is gone at once

    def _tokens(self, contender: Entrant, count: int) -> Iterable[str]:
        signer = replace(self._signer, scope=replace(self._signer.scope, agent=contender.agent))
        tokens = signer.tokens(secrets.token_hex(8), Epoch(time.time()))
        # signing takes long, and whoever does not read tokens cannot tell: same size, one token
        return islice(tokens, count) if contender.judges else repeat(next(tokens), count)

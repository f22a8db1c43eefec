"""The calls of a load by an agent whose token is bound to its key: one token for all, and a proof for each."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.units import Epoch, Jti
from aegis_authz.identity.mint import mint_token
from aegis_authz.identity.proof_mint import ProofMint, target_uri
from aegis_authz.load.calls import TOKEN_HEADER, Call, Signer, url_of

PROOF_HEADER = "X-Aegis-Proof"


@dataclass(frozen=True, slots=True)
class BoundSigner:
    """An agent that holds a key. `signer` issues the token that is bound to that key."""

    signer: Signer
    key: Ed25519PrivateKey = field(repr=False)

    def write_targets(self, path: Path, base: str, calls: Sequence[Call], run: str, now: Epoch, count: int) -> None:
        """Write so many targets for vegeta, going round and round through `calls`, each with a proof of its own.

        `base`, `run` and `now` are those of `load.calls.write_targets` and `Signer.tokens`; the proofs are good for a
        minute. Raises OSError, and ValueError when there are no calls.
        """
        if not calls:
            raise ValueError("no calls to write")
        mint = ProofMint(self.key)
        token = self._token(mint, run, now)
        with path.open("w", encoding="ascii") as file:
            for number, call in enumerate(islice(cycle(calls), count)):
                server = f"http://{call.host}" if call.host else base.rstrip("/")
                addressed = target_uri(server + call.path)
                proof = mint.mint(call.method, addressed, token, call.body, now, Jti(f"{run}-{number}"))
                file.write(f"{json.dumps(_target(base, call, token, proof))}\n")

    def _token(self, mint: ProofMint, run: str, now: Epoch) -> str:
        signer = self.signer
        return mint_token(
            signer.key,
            issuer=signer.issuer,
            audience=signer.audience,
            scope=signer.scope,
            now=now,
            ttl=signer.ttl,
            jti=Jti(run),
            bound_to=mint.thumbprint,
        )


def _target(base: str, call: Call, token: str, proof: str) -> dict[str, object]:
    headers = {name: [value] for name, value in call.headers.items()}
    headers |= {TOKEN_HEADER: [token], PROOF_HEADER: [proof]}
    if call.host:
        headers["Host"] = [call.host]
    target: dict[str, object] = {"method": call.method, "url": url_of(base, call), "header": headers}
    if call.body:
        target["body"] = base64.b64encode(call.body).decode("ascii")
    return target

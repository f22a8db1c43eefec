"""A control plane whose keys are in a key service: while that is away nothing is issued, and known keys go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from aegis_authz.adapters.keys.stored_ring import StoredKeyRing
from aegis_authz.adapters.keys.vault import VaultKeyStore
from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import Sources
from aegis_authz.identity.issuance import Denial
from aegis_authz.testing.issuing import MemoryJournal
from tests.support.token_requests import assertion, binding, client_form, private_key, public_jwk
from tests.support.transit_server import TOKEN, Transit, transit_server

AGENT, KEY = "acme/emea/payer", private_key(b"k")
AGENTS = f"agents:\n  {AGENT}: {{keys: [{{kty: OKP, crv: Ed25519, x: {public_jwk(KEY)['x']}}}]}}\n"


@pytest.fixture
def transit() -> Iterator[Transit]:
    with transit_server() as server:
        yield server


async def ask(client: httpx.AsyncClient) -> httpx.Response:
    now = time.time()
    form = client_form(assertion(AGENT, KEY, now, jti=f"{time.time_ns()}"))
    return await client.post("/v1/token", data=form, headers={"DPoP": binding(KEY, now, jti=f"{time.time_ns()}")})


async def test_while_the_key_service_is_away_nothing_is_issued_or_rotated_and_public_keys_go_on(
    transit: Transit,
    tmp_path: Path,
    new_plane: Callable[..., ControlServices],
    documents: Callable[..., Sources],
    client: Callable[[ControlServices, str], httpx.AsyncClient],
    caplog: pytest.LogCaptureFixture,
) -> None:
    stores = {
        name: VaultKeyStore(transit.url, "transit", f"aegis-{name}", lambda: TOKEN) for name in ("issuer", "approvals")
    }
    rings = {name: StoredKeyRing(tmp_path, name, store, SystemClock().now) for name, store in stores.items()}
    journal = MemoryJournal(for_tests=True)
    plane = new_plane(rings=rings, journal=journal)
    usual = documents()
    plane.publisher.start(lambda: Sources({**usual.policies, "agents.yaml": AGENTS}, usual.tools))
    async with client(plane, "ann") as admin:
        issued = await ask(admin)
        assert issued.status_code == 200, issued.text
        keys = (await admin.get("/.well-known/jwks.json")).json()
        transit.is_sealed = True
        refused = await ask(admin)
        denial = Denial.SIGNING
        assert (refused.status_code, refused.json()["error_description"]) == (denial.status, denial.description)
        assert journal.lines[-1].error == "signing"
        assert (await admin.post("/v1/keys/issuer/rotate?wait=0", json={})).status_code == 503
        assert (await admin.get("/.well-known/jwks.json")).json() == keys
        transit.is_sealed = False
        assert (await ask(admin)).status_code == 200
    assert TOKEN not in caplog.text
    for store in stores.values():
        store.close()

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.app import ControlServices
from aegis_authz.core.approval import ApprovalRequest
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settlement, SettleOutcome
from aegis_authz.core.snapshot import Trust
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.identity.token import read_override_token
from aegis_authz.testing.store import MemoryStore

Client = Callable[[ControlServices, str], httpx.AsyncClient]
HELD = "apr_0a0123456789abcdef0123456789abcdef"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(SystemClock(), 60, for_tests=True)


@pytest.fixture
def plane(new_plane: Callable[..., ControlServices], store: MemoryStore) -> ControlServices:
    return new_plane(approvals=store)


def identity(now: float, jti: str = "j1") -> Identity:
    return Identity(
        scope=Scope("acme", "emea", "finance-agent"),
        issuer="aegis",
        key_id="k",
        jti=jti,
        issued_at=now,
        expires_at=now + 60,
        actors=(),
        on_behalf_of="",
        way=Way.TOKEN,
        proof=None,
        session="",
        grant=None,
    )


async def hold(store: MemoryStore, approval_id: str = HELD, life: float = 900, age: float = 0, jti: str = "j1") -> None:
    now = SystemClock().now()
    opens = ApprovalRequest(
        id=approval_id,
        scope=Scope("acme", "emea", "finance-agent"),
        tool="stripe-payments",
        action="create_payment",
        parameters={"amount": 7000},
        digest=f"digest of {approval_id}",
        revision="r1",
        policies=("acme/emea/finance-agent",),
        groups=("finance",),
        requested_at=now - age,
        expires_at=now - age + life,
        besides={"request": "POST api.stripe.example/v1/payments"},
        basis="b1",
        decision_id="d-1",
    )
    settled = await store.settle(Settlement(identity(now, jti), None, opens, now), 0)
    assert settled.outcome is SettleOutcome.OPENED


async def test_a_held_call_is_listed_with_everything_that_would_run(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store)
    async with client(plane, plane.admin_token) as admin:
        listed = (await admin.get("/v1/approvals?state=pending")).json()["approvals"]
        shown = (await admin.get(f"/v1/approvals/{HELD}")).json()
        assert (await admin.get("/v1/approvals?state=denied")).json() == {"approvals": []}
    assert listed == [shown]
    assert shown["parameters"] == {"amount": 7000}
    assert (shown["agent"], shown["tool"], shown["action"], shown["state"]) == (
        "finance-agent",
        "stripe-payments",
        "create_payment",
        "pending",
    )


async def test_approving_yields_an_override_token_bound_to_the_call(
    plane: ControlServices, store: MemoryStore, client: Client, keys: Keys
) -> None:
    await hold(store)
    async with client(plane, plane.admin_token) as admin:
        answer = await admin.post(f"/v1/approvals/{HELD}/approve", json={"by": "ann", "note": "invoice 1181"})
    said = answer.json()
    assert (answer.status_code, said["state"], said["decided_by"]) == (200, "approved", "ann")
    raw = keys.approvals.public_key().public_bytes_raw()
    trust = Trust("aegis", "aegis-mesh", {}, {thumbprint(raw): raw}, 300, 5)
    now = SystemClock().now()
    override = read_override_token(said["override_token"], trust, now)
    assert (override.approval_id, str(override.scope), override.digest) == (
        HELD,
        "acme/emea/finance-agent",
        f"digest of {HELD}",
    )
    assert override.expires_at == pytest.approx(said["expires_at"], abs=0.002)
    claimed = await store.settle(Settlement(identity(now, "j2"), override, None, now), 0)
    assert (claimed.outcome, claimed.granted_by) == (SettleOutcome.APPROVED, "ann")


async def test_denying_yields_no_token(plane: ControlServices, store: MemoryStore, client: Client) -> None:
    await hold(store)
    async with client(plane, plane.admin_token) as admin:
        said = (await admin.post(f"/v1/approvals/{HELD}/deny", json={"by": "ann"})).json()
    assert (said["state"], said["decided_by"]) == ("denied", "ann")
    assert "override_token" not in said


@pytest.mark.parametrize("second", ["approve", "deny"])
@pytest.mark.parametrize("first", ["approve", "deny"])
async def test_a_decision_is_made_once(
    plane: ControlServices, store: MemoryStore, client: Client, first: str, second: str
) -> None:
    await hold(store)
    async with client(plane, plane.admin_token) as admin:
        assert (await admin.post(f"/v1/approvals/{HELD}/{first}", json={"by": "ann"})).status_code == 200
        answer = await admin.post(f"/v1/approvals/{HELD}/{second}", json={"by": "bob"})
        shown = (await admin.get(f"/v1/approvals/{HELD}")).json()
    assert answer.status_code == 409
    assert answer.json()["detail"]
    assert "override_token" not in answer.json()
    assert shown["decided_by"] == "ann"


async def test_the_requester_cannot_approve_its_own_call(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store)
    async with client(plane, plane.admin_token) as admin:
        answer = await admin.post(f"/v1/approvals/{HELD}/approve", json={"by": "acme/emea/finance-agent"})
        shown = (await admin.get(f"/v1/approvals/{HELD}")).json()
    assert answer.status_code == 409
    assert shown["state"] == "pending"


async def test_what_has_expired_cannot_be_decided(plane: ControlServices, store: MemoryStore, client: Client) -> None:
    await hold(store, age=900)
    async with client(plane, plane.admin_token) as admin:
        approved = await admin.post(f"/v1/approvals/{HELD}/approve", json={"by": "ann"})
        denied = await admin.post(f"/v1/approvals/{HELD}/deny", json={"by": "ann"})
    assert (approved.status_code, denied.status_code) == (409, 409)
    assert "expired" in approved.json()["detail"]


async def test_anyone_who_knows_the_id_sees_how_it_stands_and_nothing_else(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store)
    async with client(plane, "") as anyone:
        del anyone.headers["authorization"]
        answer = await anyone.get(f"/v1/approvals/{HELD}/status")
        missing = await anyone.get("/v1/approvals/apr_00ff/status")
    assert set(answer.json()) == {"id", "state", "expires_at"}
    assert answer.json()["state"] == "pending"
    assert answer.headers["retry-after"] == "2"
    assert missing.status_code == 404


@pytest.mark.parametrize(
    "body",
    [{}, {"by": ""}, {"by": 1}, {"by": "a\n"}, {"by": "a", "reason": "x"}, {"by": "a", "note": "n" * 501}],
    ids=str,
)
async def test_a_decision_needs_a_name_and_takes_nothing_else(
    plane: ControlServices, store: MemoryStore, client: Client, body: dict[str, str]
) -> None:
    await hold(store)
    async with client(plane, plane.admin_token) as admin:
        assert (await admin.post(f"/v1/approvals/{HELD}/approve", json=body)).status_code == 400
        assert (await admin.get(f"/v1/approvals/{HELD}")).json()["state"] == "pending"


async def test_an_unknown_state_and_an_unknown_id_are_said(plane: ControlServices, client: Client) -> None:
    async with client(plane, plane.admin_token) as admin:
        wrong = await admin.get("/v1/approvals?state=maybe")
        assert (await admin.get("/v1/approvals/apr_00ff")).status_code == 404
        assert (await admin.post("/v1/approvals/apr_00ff/approve", json={"by": "ann"})).status_code == 404
    assert wrong.status_code == 400
    assert "'pending', 'approved'" in wrong.json()["detail"]


async def test_a_store_that_is_down_is_503_without_its_address(
    new_plane: Callable[..., ControlServices], client: Client
) -> None:
    plane = new_plane()
    async with client(plane, plane.admin_token) as admin:
        for answer in (
            await admin.get("/v1/approvals"),
            await admin.post("/v1/approvals/apr_00ff/approve", json={"by": "ann"}),
            await admin.get("/v1/approvals/apr_00ff/status"),
        ):
            assert answer.status_code == 503
            assert "secret" not in answer.text


async def test_no_override_token_enters_the_log(
    plane: ControlServices, store: MemoryStore, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    await hold(store)
    with caplog.at_level("DEBUG"):
        async with client(plane, plane.admin_token) as admin:
            said = (await admin.post(f"/v1/approvals/{HELD}/approve", json={"by": "ann", "note": "why"})).json()
    assert "approved by 'ann': 'why'" in caplog.text
    assert said["override_token"] not in caplog.text
    assert plane.admin_token not in caplog.text

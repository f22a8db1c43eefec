from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

import httpx
import pytest

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.adapters.system import SystemClock
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.core.approval import Approval, ApprovalProof, ApprovalRequest, ApprovalState, CallOutcome
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.json_value import Json
from aegis_authz.core.record import ApprovalRecord, ApprovalStep
from aegis_authz.core.release import Sources
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settlement, SettleOutcome
from aegis_authz.core.snapshot import Trust
from aegis_authz.core.units import ApprovalId, Epoch
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.identity.token import read_override_token
from aegis_authz.testing.record_log import MemoryRecordLog
from aegis_authz.testing.store import MemoryStore
from tests.support.people import by, person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]
HELD = "apr_0a0123456789abcdef0123456789abcdef"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(SystemClock(), 60, for_tests=True)


@pytest.fixture
def plane(new_plane: Callable[..., ControlServices], store: MemoryStore) -> ControlServices:
    return new_plane(approvals=store)


AGENT = Scope("acme", "emea", "finance-agent")


def identity(now: float, jti: str = "j1", agent: Scope = AGENT) -> Identity:
    return Identity(
        scope=agent,
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


async def hold(
    store: MemoryStore,
    approval_id: str = HELD,
    life: float = 900,
    age: float = 0,
    jti: str = "j1",
    basis: str = "b1",
    approvals: int = 1,
    confirm: tuple[str, ...] = (),
    behalf: str = "",
    notify: tuple[str, ...] = (),
    agent: Scope = AGENT,
    proof: ApprovalProof = ApprovalProof.ANY,
    actors: tuple[str, ...] = (),
    parameters: Mapping[str, Json] | None = None,
    session: str = "",
) -> None:
    now = SystemClock().now()
    opens = ApprovalRequest(
        id=approval_id,
        scope=agent,
        tool="stripe-payments",
        action="create_payment",
        parameters={"amount": 7000} if parameters is None else parameters,
        digest=f"digest of {approval_id}",
        revision="r1",
        policies=("acme/emea/finance-agent",),
        groups=("finance",),
        requested_at=now - age,
        expires_at=now - age + life,
        besides={
            "request": "POST api.stripe.example/v1/payments",
            **({"on_behalf_of": behalf} if behalf else {}),
            **({"acted_by": list(actors)} if actors else {}),
        },
        basis=basis,
        decision_id="d-1",
        approvals=approvals,
        confirm=confirm,
        notify=notify,
        proof=proof,
        session=session,
    )
    settled = await store.settle(Settlement(identity(now, jti, agent), None, opens, now, (), None, None, None), 0)
    assert settled.outcome is SettleOutcome.OPENED


async def test_a_held_call_is_listed_with_everything_that_would_run(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store)
    async with client(plane, "ann") as admin:
        listed = (await admin.get("/v1/approvals?state=pending")).json()["approvals"]
        shown = (await admin.get(f"/v1/approvals/{HELD}")).json()
        assert (await admin.get("/v1/approvals?state=denied")).json()["approvals"] == []
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
    async with client(plane, "ann") as admin:
        answer = await admin.post(f"/v1/approvals/{HELD}/approve", json={"note": "invoice 1181"})
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
    claimed = await store.settle(Settlement(identity(now, "j2"), override, None, now, (), None, None, None), 0)
    assert (claimed.outcome, claimed.granted_by) == (SettleOutcome.APPROVED, "ann")


async def test_a_used_approval_says_what_became_of_the_call(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store)
    async with client(plane, "ann") as admin:
        assert (await admin.get(f"/v1/approvals/{HELD}")).json()["use"] is None
        await admin.post(f"/v1/approvals/{HELD}/approve", json={"note": "invoice 1181"})
        request, now = (await store.get(ApprovalId(HELD))).request, SystemClock().now()
        await store.settle(Settlement(identity(now, "j2"), None, request, now, (), None, None, None), 0)
        unknown = (await admin.get(f"/v1/approvals/{HELD}")).json()
        await store.conclude(ApprovalId(HELD), CallOutcome(201, Epoch(1_800_000_000.0), True))
        known = (await admin.get(f"/v1/approvals/{HELD}")).json()
    assert unknown["use"] == {"time": pytest.approx(now, abs=0.002), "outcome": None}
    assert unknown["detail"].endswith(", outcome unknown.")
    assert known["use"]["outcome"] == {"status": 201, "time": 1_800_000_000.0, "was_reached": True}
    assert known["detail"].endswith(", answered with status 201 at 2027-01-15T08:00:00.000Z.")


async def test_denying_yields_no_token(plane: ControlServices, store: MemoryStore, client: Client) -> None:
    await hold(store)
    async with client(plane, "ann") as admin:
        said = (await admin.post(f"/v1/approvals/{HELD}/deny", json={"note": "not now"})).json()
    assert (said["state"], said["decided_by"]) == ("denied", "ann")
    assert "override_token" not in said


@pytest.mark.parametrize("second", ["approve", "deny"])
@pytest.mark.parametrize("first", ["approve", "deny"])
async def test_a_decision_is_made_once(
    plane: ControlServices, store: MemoryStore, client: Client, first: str, second: str
) -> None:
    await hold(store)
    async with client(plane, "ann") as admin:
        assert (await admin.post(f"/v1/approvals/{HELD}/{first}", json={"note": "n"})).status_code == 200
        answer = await admin.post(f"/v1/approvals/{HELD}/{second}", json={"note": "n"}, headers=by("bob"))
        shown = (await admin.get(f"/v1/approvals/{HELD}")).json()
    assert answer.status_code == 409
    assert answer.json()["detail"]
    assert "override_token" not in answer.json()
    assert shown["decided_by"] == "ann"


async def test_the_requester_cannot_approve_its_own_call(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store)
    async with client(plane, "ann") as admin:
        answer = await admin.post(f"/v1/approvals/{HELD}/approve", json={}, headers=by("finance-agent"))
        shown = (await admin.get(f"/v1/approvals/{HELD}")).json()
    assert answer.status_code == 403
    assert shown["state"] == "pending"


async def test_what_has_expired_cannot_be_decided(plane: ControlServices, store: MemoryStore, client: Client) -> None:
    await hold(store, age=900)
    async with client(plane, "ann") as admin:
        approved = await admin.post(f"/v1/approvals/{HELD}/approve", json={})
        denied = await admin.post(f"/v1/approvals/{HELD}/deny", json={"note": "not now"})
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
    assert set(answer.json()) == {"id", "state", "detail", "expires_at"}
    assert answer.json()["state"] == "pending"
    assert "repeat the call unchanged" in answer.json()["detail"]
    assert answer.headers["retry-after"] == "2"
    assert missing.status_code == 404


@pytest.mark.parametrize(
    "body",
    [{"by": ""}, {"by": "ann"}, {"note": 1}, {"note": "a\n"}, {"reason": "x"}, {"note": "n" * 501}],
    ids=str,
)
async def test_a_decision_takes_a_note_and_nothing_else_and_least_of_all_a_name(
    plane: ControlServices, store: MemoryStore, client: Client, body: dict[str, str]
) -> None:
    await hold(store)
    async with client(plane, "ann") as admin:
        assert (await admin.post(f"/v1/approvals/{HELD}/approve", json=body)).status_code == 400
        assert (await admin.get(f"/v1/approvals/{HELD}")).json()["state"] == "pending"


async def test_what_is_decided_is_on_record_with_who_when_why_and_about_which_call(
    plane: ControlServices, store: MemoryStore, client: Client, records: MemoryRecordLog
) -> None:
    await hold(store)
    async with client(plane, "ann") as admin:
        await admin.post(f"/v1/approvals/{HELD}/approve", json={"note": "invoice 1181"})
        await admin.post(f"/v1/approvals/{HELD}/cancel", json={"note": "wrong payee"}, headers=by("bob"))
    kept = [record for record in records.records if isinstance(record, ApprovalRecord)]
    assert [(record.step, record.by, record.note) for record in kept] == [
        (ApprovalStep.APPROVED, "ann", "invoice 1181"),
        (ApprovalStep.CANCELLED, "bob", "wrong payee"),
    ]
    assert {(record.approval_id, record.decision_id, record.digest, record.basis) for record in kept} == {
        (HELD, "d-1", f"digest of {HELD}", "b1")
    }
    assert abs(kept[0].time - SystemClock().now()) < 60


@pytest.mark.parametrize("verb", ["approve", "deny", "cancel"])
async def test_what_cannot_be_recorded_is_not_decided(
    plane: ControlServices, store: MemoryStore, client: Client, records: MemoryRecordLog, verb: str
) -> None:
    await hold(store)
    records.failing = "no space left on the device"
    async with client(plane, "ann") as admin:
        answer = await admin.post(f"/v1/approvals/{HELD}/{verb}", json={"note": "n"})
        assert (answer.status_code, "override_token" in answer.json()) == (503, False)
        assert (await admin.get(f"/v1/approvals/{HELD}")).json()["state"] == "pending"


async def test_a_decision_that_came_too_late_is_taken_back_on_record(
    new_plane: Callable[..., ControlServices], store: MemoryStore, client: Client, records: MemoryRecordLog
) -> None:
    class Slow(MemoryStore):
        """A store in which somebody else decides between the look and the decision."""

        async def decide(self, approval_id: str, to: ApprovalState, by: str, now: float) -> Approval:
            await store.decide(approval_id, ApprovalState.DENIED, "bob", now)
            return await store.decide(approval_id, to, by, now)

    slow = Slow(SystemClock(), 60, for_tests=True)
    slow.__dict__.update(store.__dict__)
    await hold(store)
    plane = new_plane(approvals=slow)
    async with client(plane, "ann") as admin:
        assert (await admin.post(f"/v1/approvals/{HELD}/approve", json={})).status_code == 409
    kept = [record for record in records.records if isinstance(record, ApprovalRecord)]
    assert [(record.step, record.by) for record in kept] == [
        (ApprovalStep.APPROVED, "ann"),
        (ApprovalStep.UNDONE, "ann"),
    ]
    assert "is denied" in kept[1].note


async def test_an_approval_is_stale_once_a_publication_changes_what_judged(
    plane: ControlServices, store: MemoryStore, client: Client, documents: Callable[..., Sources]
) -> None:
    def basis() -> str:
        live = plane.bulletin.live
        assert live is not None
        assert live.bases is not None
        return live.bases.of(Scope("acme", "emea", "finance-agent"), "stripe-payments")

    plane.publisher.start(documents)
    await hold(store, basis=basis())
    async with client(plane, "ann") as admin:
        elsewhere = documents()
        others = {**elsewhere.policies, "other.yaml": "agent: other-agent\nname: other\n"}
        await plane.publisher.publish(Sources(others, elsewhere.tools), {}, "ann", "")
        assert (await admin.get(f"/v1/approvals/{HELD}")).json()["state"] == "pending"
        await plane.publisher.publish(documents(limit=1), {}, "ann", "")
        status = (await admin.get(f"/v1/approvals/{HELD}/status")).json()
        assert status["state"] == "stale"
        assert "a policy of this agent, or the tool, was changed after it was asked for" in status["detail"]
        assert (await admin.get("/v1/approvals?state=pending")).json()["approvals"] == []
        assert [entry["id"] for entry in (await admin.get("/v1/approvals?state=stale")).json()["approvals"]] == [HELD]
        refused = await admin.post(f"/v1/approvals/{HELD}/approve", json={})
        assert (refused.status_code, "is stale" in refused.json()["detail"]) == (409, True)
        await plane.publisher.publish(documents(), {}, "ann", "")
        assert (await admin.get(f"/v1/approvals/{HELD}")).json()["state"] == "pending"


async def test_the_status_door_says_what_became_of_a_call(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    async with client(plane, "ann") as admin:

        async def words(approval_id: str) -> str:
            answer = (await admin.get(f"/v1/approvals/{approval_id}/status")).json()
            return f"{answer['state']}: {answer['detail']}"

        names = [f"apr_0a{number:032x}" for number in range(4)]
        for number, name in enumerate(names):
            await hold(store, name, jti=f"t{number}", age=900 if number == 3 else 0)
        await admin.post(f"/v1/approvals/{names[0]}/approve", json={})
        await admin.post(f"/v1/approvals/{names[1]}/deny", json={"note": "not now"})
        await admin.post(f"/v1/approvals/{names[2]}/cancel", json={})
        assert (await words(names[0])).startswith("approved: It is approved. Repeat the call unchanged")
        assert (await words(names[1])).startswith("denied: It was denied. Do not repeat")
        assert (await words(names[2])).startswith("cancelled: The approval was taken back.")
        assert (await words(names[3])).startswith("expired: Its time is over")
        held = (await store.get(names[0])).request
        now = SystemClock().now()
        await store.settle(
            Settlement(identity(now, "again"), None, replace(held, id=HELD), now, (), None, None, None), 0
        )
        assert (await words(names[0])).startswith("used: It was used: the call went through.")


async def test_a_list_comes_in_pages(plane: ControlServices, store: MemoryStore, client: Client) -> None:
    names = [f"apr_0a{number:032x}" for number in range(7)]
    for number, name in enumerate(names):
        await hold(store, name, life=900 + number, jti=f"t{number}")
    listed, after = [], ""
    async with client(plane, "ann") as admin:
        for _ in range(3):
            page = (await admin.get("/v1/approvals", params={"limit": 3, "after": after})).json()
            listed += [entry["id"] for entry in page["approvals"]]
            after = page["after"]
        assert (listed, after) == (names[::-1], "")
        for wrong in ("limit=0", "limit=201", "limit=x", "after=x", "after=1-%0a"):
            assert (await admin.get(f"/v1/approvals?{wrong}")).status_code == 400


async def test_an_unknown_state_and_an_unknown_id_are_said(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as admin:
        wrong = await admin.get("/v1/approvals?state=maybe")
        assert (await admin.get("/v1/approvals/apr_00ff")).status_code == 404
        assert (await admin.post("/v1/approvals/apr_00ff/approve", json={})).status_code == 404
    assert wrong.status_code == 400
    assert "'pending', 'approved'" in wrong.json()["detail"]


async def test_a_store_that_is_down_is_503_without_its_address(
    new_plane: Callable[..., ControlServices], client: Client
) -> None:
    plane = new_plane()
    async with client(plane, "ann") as admin:
        for answer in (
            await admin.get("/v1/approvals"),
            await admin.post("/v1/approvals/apr_00ff/approve", json={}),
            await admin.get("/v1/approvals/apr_00ff/status"),
        ):
            assert answer.status_code == 503
            assert "secret" not in answer.text


async def test_no_override_token_enters_the_log(
    plane: ControlServices, store: MemoryStore, client: Client, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    await hold(store)
    with caplog.at_level("DEBUG"):
        async with client(plane, "ann") as admin:
            said = (await admin.post(f"/v1/approvals/{HELD}/approve", json={"note": "why"})).json()
    assert "approved by 'ann': 'why'" in caplog.text
    assert said["override_token"] not in caplog.text
    assert keys.admin_token not in caplog.text


APPROVER = "approver@acme/emea"
STRANGERS = (
    person("eve", APPROVER),
    person("fay", APPROVER, groups=("staff",)),
    person("gus", "viewer", groups=("finance",)),
    person("hal", "approver@acme/apac", groups=("finance",)),
)


@pytest.mark.parametrize("verb", ["approve", "deny", "cancel"])
@pytest.mark.parametrize(("name", "status"), [("eve", 403), ("fay", 403), ("gus", 403), ("hal", 404)])
async def test_nobody_decides_who_is_in_none_of_the_groups_or_has_not_the_role_in_the_tenant(
    plane: ControlServices, store: MemoryStore, client: Client, verb: str, name: str, status: int
) -> None:
    await hold(store)
    plane = with_people(plane, *STRANGERS)
    async with client(plane, name) as stranger:
        answer = await stranger.post(f"/v1/approvals/{HELD}/{verb}", json={"note": "n"})
    assert answer.status_code == status
    assert (await store.get(HELD)).state is ApprovalState.PENDING


async def test_a_member_of_the_group_decides_with_the_role_of_the_tenant_alone(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store)
    async with client(with_people(plane, person("ivy", APPROVER, groups=("finance",))), "ivy") as member:
        assert (await member.post(f"/v1/approvals/{HELD}/approve", json={})).json()["decided_by"] == "ivy"


async def test_nobody_decides_a_call_that_is_made_on_their_behalf(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store, behalf="Ann")
    async with client(plane, "ann") as admin:
        answer = await admin.post(f"/v1/approvals/{HELD}/approve", json={})
        assert (answer.status_code, "its own requester" in answer.json()["detail"]) == (403, True)
        assert (await admin.post(f"/v1/approvals/{HELD}/approve", json={}, headers=by("bob"))).status_code == 200


async def test_the_owner_of_a_tenant_is_not_two_people(
    new_plane: Callable[..., ControlServices], store: MemoryStore, client: Client
) -> None:
    """Whoever may add people would else be as many approvers as they like."""
    owners = [
        person(name, f"owner@{domain}", groups=("finance",)) for name, domain in (("tia", "acme/emea"), ("org", "acme"))
    ]
    puppet = person("puppet", "owner@acme/emea", groups=("finance",))
    plane = with_people(new_plane(approvals=store), *owners, puppet)
    await hold(store, approvals=2)
    approve = f"/v1/approvals/{HELD}/approve"
    async with client(plane, "tia") as tia:
        added = {"id": "puppet", "name": "Puppet", "roles": ["owner@acme/emea"], "groups": ["finance"]}
        assert (await tia.post("/v1/people", json=added)).status_code == 200
        assert (await tia.post(approve, json={})).json()["approved_by"] == ["tia"]
        refused = await tia.post(approve, json={}, headers=by("puppet"))
        assert (refused.status_code, "tia answers for tia and for puppet" in refused.json()["detail"]) == (403, True)
        for nobody_else in ("tia", "puppet"):
            own = await tia.post("/v1/people/puppet/confirm", json={}, headers=by(nobody_else))
            assert (own.status_code, "somebody else than" in own.json()["detail"]) == (403, True)
        people = (await tia.get("/v1/people")).json()["people"]
        assert [(entry["id"], entry["sponsors"]) for entry in people] == [("puppet", ["tia"])]
        assert (await tia.post("/v1/people/puppet/confirm", json={}, headers=by("org"))).status_code == 204
        assert (await tia.post(approve, json={}, headers=by("puppet"))).json()["state"] == "approved"
        # a new password is in the hand of who gave the code for it
        assert (await tia.post("/v1/people/puppet/code", json={})).status_code == 200
        people = (await tia.get("/v1/people")).json()["people"]
        assert [(entry["id"], entry["sponsors"]) for entry in people] == [("puppet", ["tia"])]


async def test_two_people_approve_before_there_is_a_token(
    plane: ControlServices, store: MemoryStore, client: Client, records: MemoryRecordLog
) -> None:
    await hold(store, approvals=2)
    async with client(plane, "ann") as admin:
        first = (await admin.post(f"/v1/approvals/{HELD}/approve", json={})).json()
        assert (first["state"], first["override_token"], first["approved_by"]) == ("pending", "", ["ann"])
        again = await admin.post(f"/v1/approvals/{HELD}/approve", json={})
        assert (again.status_code, "already" in again.json()["detail"]) == (409, True)
        second = (await admin.post(f"/v1/approvals/{HELD}/approve", json={}, headers=by("bob"))).json()
    assert (second["state"], second["decided_by"], bool(second["override_token"])) == ("approved", "ann, bob", True)
    kept = [record for record in records.records if isinstance(record, ApprovalRecord)]
    assert [(record.step, record.by) for record in kept] == [
        (ApprovalStep.APPROVED, "ann"),
        (ApprovalStep.APPROVED, "bob"),
    ]


async def test_what_cannot_be_undone_is_approved_by_who_typed_it(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store, confirm=("amount",))
    async with client(plane, "ann") as admin:
        for typed in ({}, {"amount": "700"}, {"other": "7000"}):
            answer = await admin.post(f"/v1/approvals/{HELD}/approve", json={"confirm": typed})
            assert (answer.status_code, "type the value of amount" in answer.json()["detail"]) == (409, True)
        answer = await admin.post(f"/v1/approvals/{HELD}/approve", json={"confirm": {"amount": "7000"}})
    assert answer.json()["state"] == "approved"


@pytest.mark.parametrize("body", [{}, {"note": ""}, {"note": "  "}])
async def test_a_denial_needs_a_reason(
    plane: ControlServices, store: MemoryStore, client: Client, body: dict[str, str]
) -> None:
    await hold(store)
    async with client(plane, "ann") as admin:
        assert (await admin.post(f"/v1/approvals/{HELD}/deny", json=body)).status_code in (400, 409)
    assert (await store.get(HELD)).state is ApprovalState.PENDING


async def test_the_admin_token_decides_for_every_group_where_the_settings_say_so_alone(
    new_plane: Callable[..., ControlServices], store: MemoryStore, client: Client, settings: ControlSettings, keys: Keys
) -> None:
    await hold(store)
    plane = new_plane(approvals=store)
    token = keys.admin_token
    async with client(plane, token) as admin:
        refused = await admin.post(f"/v1/approvals/{HELD}/approve", json={})
        assert (refused.status_code, "in none of the groups" in refused.json()["detail"]) == (403, True)
    alone = settings.model_copy(update={"bootstrap_owner_decides": True})
    async with client(new_plane(approvals=store, settings=alone), token) as admin:
        assert (await admin.post(f"/v1/approvals/{HELD}/approve", json={})).json()["decided_by"] == "bootstrap-owner"


async def test_32_approvers_at_once_make_one_decision_and_the_others_are_taken_back_on_record(
    plane: ControlServices, store: MemoryStore, client: Client, records: MemoryRecordLog
) -> None:
    await hold(store)
    crowd = [person(f"approver-{number}", APPROVER, groups=("finance",)) for number in range(32)]
    async with client(with_people(plane, *crowd), "ann") as admin:
        answers = await asyncio.gather(
            *(admin.post(f"/v1/approvals/{HELD}/approve", json={}, headers=by(member.id)) for member in crowd)
        )
    granted = [answer.json() for answer in answers if answer.status_code == 200]
    assert [answer["state"] for answer in granted] == ["approved"]
    assert {answer.status_code for answer in answers} == {200, 409}
    kept = [record for record in records.records if isinstance(record, ApprovalRecord)]
    taken_back = {record.by for record in kept if record.step is ApprovalStep.UNDONE}
    assert {record.by for record in kept if record.step is ApprovalStep.APPROVED} - taken_back == {
        granted[0]["decided_by"]
    }

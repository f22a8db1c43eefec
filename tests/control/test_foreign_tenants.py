"""A control plane of a region has nothing for agents of tenants that are at home elsewhere: no token, no code, no key."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.system import SystemClock
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.core.enrolment import Enrolled, EnrolledKey
from aegis_authz.core.release import Change, ChangeKind, Sources
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.verifying_key import VerifyingKey, verifying_key
from aegis_authz.identity.issuance import Denial
from aegis_authz.testing.agent_states import MemoryEnrolments
from aegis_authz.testing.issuing import MemoryJournal, MemorySingleUses
from aegis_authz.testing.releases import MemoryReleases
from tests.support.token_requests import assertion, binding, client_form, enrolment, private_key, public_jwk

Client = Callable[[ControlServices, str], httpx.AsyncClient]
NewPlane = Callable[..., ControlServices]
Documents = Callable[..., Sources]
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
ISSUER_KEY, KEY, NEXT_KEY = private_key(b"i"), private_key(b"k"), private_key(b"n")
PAYER, CLERK = "acme/emea/payer", "acme/amer/clerk"
BOTH_HERE = "residency: {eu: {tenants: [acme/emea, acme/amer]}, us: {tenants: [globex/amer]}}\n"
EMEA_HERE = "residency: {eu: {tenants: [acme/emea]}, us: {tenants: [acme/amer]}}\n"
TRUST = """\
trust: ci
issuer: https://ci.example
audience: aegis
jwks: https://ci.example/keys
algorithms: [EdDSA]
subjects:
  - {claims: {kind: worker}, agent: "acme/{tenant}/{name}"}
"""


class IssuerKeys:
    """The keys of the issuer that the documents trust."""

    async def fetch(self, url: str) -> tuple[VerifyingKey, ...]:
        return (verifying_key({**public_jwk(ISSUER_KEY), "kid": "ci", "alg": "EdDSA"}),)

    async def discover(self, issuer: str) -> str:
        return f"{issuer}/keys"


class Spendings(MemorySingleUses):
    """What may be shown once, with the names of what was."""

    def __init__(self) -> None:
        super().__init__(SystemClock(), for_tests=True)
        self.names: list[str] = []

    async def claim(self, kind: str, name: str, life: Any, holder: str) -> str:
        self.names.append(name)
        return await super().claim(kind, name, life, holder)


@pytest.fixture
def settings(settings: ControlSettings) -> ControlSettings:
    return settings.model_copy(update={"region": "eu"})


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal(for_tests=True)


@pytest.fixture
def uses() -> Spendings:
    return Spendings()


@pytest.fixture
def plane(new_plane: NewPlane, documents: Documents, journal: MemoryJournal, uses: Spendings) -> ControlServices:
    services = new_plane(key_sets=IssuerKeys(), journal=journal, uses=uses)
    services.publisher.start(lambda: published(documents, BOTH_HERE))
    return services


def published(documents: Documents, regions: str) -> Sources:
    usual = documents()
    return Sources({**usual.policies, "regions.yaml": regions, "trust.yaml": TRUST}, usual.tools)


def subject(tenant: str, name: str) -> str:
    now = time.time()
    claims = {"iss": "https://ci.example", "aud": "aegis", "sub": "ci", "iat": now, "exp": now + 600}
    return jwt.encode(
        {**claims, "jti": f"{time.time_ns()}", "kind": "worker", "tenant": tenant, "name": name},
        ISSUER_KEY,
        "EdDSA",
        {"kid": "ci"},
    )


async def ask(client: httpx.AsyncClient, form: dict[str, str]) -> httpx.Response:
    return await client.post(
        "/v1/token", data=form, headers={"DPoP": binding(KEY, time.time(), jti=f"{time.time_ns()}")}
    )


async def ask_by_key(client: httpx.AsyncClient, agent: str = CLERK, key: Ed25519PrivateKey = KEY) -> httpx.Response:
    return await ask(client, client_form(assertion(agent, key, time.time(), jti=f"{time.time_ns()}")))


async def exchange(client: httpx.AsyncClient, token: str, kind: str = JWT, **more: str) -> httpx.Response:
    return await ask(client, {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": kind, **more})


async def code_for(client: httpx.AsyncClient, agent: str = CLERK) -> str:
    answer = await client.post(f"/v1/agents/{agent}/invite", json={"ttl": 600})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["code"])


def refused(answer: httpx.Response) -> None:
    denial = Denial.REGION
    assert (answer.status_code, answer.json()) == (
        denial.status,
        {"error": denial.error, "error_description": denial.description},
    )


async def test_tokens_are_issued_for_the_region_of_the_control_plane(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as admin:
        answer = await exchange(admin, subject("emea", "payer"))
    assert answer.status_code == 200, answer.text
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["aud"]) == (PAYER, "aegis-mesh/eu")


async def test_a_tenant_that_moved_gets_no_token_whichever_way_it_asks(
    plane: ControlServices, client: Client, documents: Documents, journal: MemoryJournal
) -> None:
    async with client(plane, "ann") as admin:
        await admin.post("/v1/enroll", json=enrolment(await code_for(admin), KEY, time.time()))
        own = (await ask_by_key(admin)).json()["access_token"]
        await plane.publisher.publish(published(documents, EMEA_HERE), {}, "ann", "")
        journal.lines.clear()
        refused(await ask_by_key(admin))
        refused(await exchange(admin, subject("amer", "clerk")))
        details = '[{"type": "aegis_task", "calls": 1, "expires_in": 600, "depth": 0}]'
        refused(await exchange(admin, own, ACCESS, authorization_details=details))
    assert [line.error for line in journal.lines] == ["region"] * 3
    assert not [line for line in journal.lines if CLERK in str(line)]


async def test_a_tenant_that_no_region_names_gets_no_token(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as admin:
        refused(await exchange(admin, subject("apac", "clerk")))


async def test_nothing_is_spent_for_an_actor_of_another_region(
    plane: ControlServices, client: Client, documents: Documents, uses: Spendings
) -> None:
    await plane.publisher.publish(published(documents, EMEA_HERE), {}, "ann", "")
    async with client(plane, "ann") as admin:
        actor = {"actor_token": subject("amer", "clerk"), "actor_token_type": JWT}
        refused(await exchange(admin, subject("emea", "payer"), **actor))
    assert uses.names == []


async def test_a_tenant_that_moved_is_not_invited_and_its_codes_are_worth_nothing(
    plane: ControlServices, client: Client, documents: Documents, enrolments: MemoryEnrolments
) -> None:
    async with client(plane, "ann") as admin:
        code = await code_for(admin)
        await plane.publisher.publish(published(documents, EMEA_HERE), {}, "ann", "")
        invited = await admin.post(f"/v1/agents/{CLERK}/invite", json={"ttl": 600})
        enrolled = await admin.post("/v1/enroll", json=enrolment(code, KEY, time.time()))
        changes = (await admin.get("/v1/revisions")).json()["changes"]
    assert (invited.status_code, enrolled.status_code) == (409, 409)
    assert "at home in another region" in invited.text
    assert "at home in another region" in enrolled.text
    assert enrolments.current.keys == ()
    assert [change["kind"] for change in changes] == ["published", "invited", "first"]


async def test_nobody_is_at_home_while_the_documents_that_are_served_do_not_say_who_is(
    new_plane: NewPlane, client: Client, enrolments: MemoryEnrolments, releases: MemoryReleases
) -> None:
    releases.keep("old", b"signed by an older version", Sources({"a.yaml": "nonsense: 1\n"}, {}))
    releases.activate(Change(ChangeKind.PUBLISHED, "old", "", "ann", 1.0, "", None))
    key = EnrolledKey(Scope.parse(PAYER), KEY.public_key().public_bytes_raw(), Epoch(time.time()), "ann")
    enrolments.current = Enrolled((), (key,))
    plane = new_plane()
    plane.publisher.start(lambda: Sources({}, {}))
    async with client(plane, "ann") as admin:
        refused(await ask_by_key(admin, PAYER))
        invited = await admin.post(f"/v1/agents/{PAYER}/invite", json={"ttl": 600})
    assert invited.status_code == 409


async def test_before_the_first_publication_nobody_is_at_home(
    new_plane: NewPlane, client: Client, enrolments: MemoryEnrolments
) -> None:
    key = EnrolledKey(Scope.parse(PAYER), KEY.public_key().public_bytes_raw(), Epoch(time.time()), "ann")
    enrolments.current = Enrolled((), (key,))
    async with client(new_plane(), "") as anyone:
        refused(await ask_by_key(anyone, PAYER))

"""`POST /v1/token` with a key of the agent: what is issued, what is refused and how, and what the journal says."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.adapters.system import SystemClock
from aegis_authz.agent.proof import ProofKey
from aegis_authz.control.app import ControlServices, create_app
from aegis_authz.core.issuance import Issuance
from aegis_authz.core.release import Sources
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Seconds
from aegis_authz.identity.issuance import Denial
from aegis_authz.ports.control_plane import JournalFault
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.testing.issuing import MemoryJournal
from tests.support.token_requests import ENDPOINT, assertion, binding, client_form, key_id, private_key, public_jwk

Client = Callable[[ControlServices, str], httpx.AsyncClient]
AGENT = "acme/emea/payer"
KEY, STRANGER = private_key(b"k"), private_key(b"s")
AGENTS = f"""\
agents:
  {AGENT}: {{keys: [{{kty: OKP, crv: Ed25519, x: {public_jwk(KEY)["x"]}}}], token_life: 120}}
  acme/emea/old: {{keys: [{{kty: OKP, crv: Ed25519, x: {public_jwk(STRANGER)["x"]}}}], ways: [token]}}
"""


class DownUses:
    async def claim(self, kind: str, name: str, life: Seconds, holder: str) -> str:
        raise StoreDown("redis at /secret/path is away")


class FullJournal:
    async def write(self, issuance: Issuance) -> None:
        raise JournalFault("/secret/path: No space left on device")


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal(for_tests=True)


@pytest.fixture
def registered(documents: Callable[..., Sources]) -> Callable[[], Sources]:
    usual = documents()
    return lambda: Sources({**usual.policies, "agents.yaml": AGENTS}, usual.tools)


@pytest.fixture
def plane(
    new_plane: Callable[..., ControlServices], journal: MemoryJournal, registered: Callable[[], Sources]
) -> ControlServices:
    services = new_plane(journal=journal)
    services.publisher.start(registered)
    return services


def form(**changes: Any) -> dict[str, str]:
    parameters = client_form(assertion(AGENT, KEY, time.time(), jti=f"{time.time_ns()}"))
    return {name: value for name, value in {**parameters, **changes}.items() if value is not None}


def proof(**claims: Any) -> str:
    return binding(KEY, time.time(), jti=f"{time.time_ns()}", **claims)


async def ask(client: httpx.AsyncClient, data: dict[str, str] | None = None, dpop: str | None = None) -> httpx.Response:
    return await client.post("/v1/token", data=data or form(), headers={"DPoP": dpop or proof()})


def refused(answer: httpx.Response, denial: Denial) -> None:
    assert (answer.status_code, answer.json()) == (
        denial.status,
        {"error": denial.error, "error_description": denial.description},
    )
    assert answer.headers["cache-control"] == "no-store"


async def test_an_agent_gets_a_token_bound_to_its_key(
    plane: ControlServices, client: Client, keys: Keys, journal: MemoryJournal
) -> None:
    async with client(plane, "") as anyone:
        answer = await ask(anyone)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    issued = answer.json()
    assert (issued["token_type"], issued["expires_in"]) == ("DPoP", 120)
    claims = verified(issued["access_token"], keys)
    assert (claims["sub"], claims["cnf"]) == (AGENT, {"jkt": key_id(KEY)})
    assert claims["exp"] - claims["iat"] == pytest.approx(120, abs=0.001)
    (line,) = journal.lines
    assert (line.agent, line.key_id, line.bound_to, line.jti) == (AGENT, key_id(KEY), key_id(KEY), claims["jti"])
    assert (line.error, line.expires_at) == ("", pytest.approx(claims["exp"], abs=0.01))
    assert issued["access_token"] not in str(line)


def verified(token: str, keys: Keys) -> dict[str, Any]:
    import jwt

    claims: dict[str, Any] = jwt.decode(token, keys.issuer.public_key(), ["EdDSA"], audience="aegis-mesh")
    return claims


async def test_the_agent_side_and_the_control_plane_understand_each_other(
    plane: ControlServices, client: Client
) -> None:
    clock, ids = SystemClock(), iter(range(100))
    key = ProofKey(KEY, clock.now, lambda: f"id-{next(ids)}")
    data = client_form(key.assertion(Scope.parse(AGENT), ENDPOINT))
    async with client(plane, "") as anyone:
        answer = await ask(anyone, data, key.proof("POST", ENDPOINT, None, b""))
    assert answer.status_code == 200


async def test_a_token_may_be_bound_to_another_key_than_the_agent_asks_with(
    plane: ControlServices, client: Client, keys: Keys
) -> None:
    async with client(plane, "") as anyone:
        answer = await ask(anyone, dpop=binding(STRANGER, time.time()))
    assert verified(answer.json()["access_token"], keys)["cnf"] == {"jkt": key_id(STRANGER)}


async def test_an_assertion_and_a_proof_are_good_once(plane: ControlServices, client: Client) -> None:
    data, dpop = form(), proof()
    async with client(plane, "") as anyone:
        assert (await ask(anyone, data, dpop)).status_code == 200
        refused(await ask(anyone, data), Denial.ASSERTION_REPLAYED)
        refused(await ask(anyone, dpop=dpop), Denial.PROOF_REPLAYED)


async def test_who_is_unknown_is_told_the_same_as_who_signs_wrongly(plane: ControlServices, client: Client) -> None:
    now = time.time()
    texts = (assertion("acme/emea/nobody", KEY, now), assertion(AGENT, KEY, now, signer=STRANGER))
    async with client(plane, "") as anyone:
        answers = [await ask(anyone, client_form(text)) for text in texts]
    for answer in answers:
        refused(answer, Denial.ASSERTION_KEY)
    assert dict(answers[0].headers) == dict(answers[1].headers)


async def test_an_agent_that_may_not_use_bound_tokens_gets_none(plane: ControlServices, client: Client) -> None:
    async with client(plane, "") as anyone:
        refused(await ask(anyone, client_form(assertion("acme/emea/old", STRANGER, time.time()))), Denial.WAY)


async def test_an_agent_of_an_older_revision_is_unknown_after_the_next(
    plane: ControlServices, client: Client, documents: Callable[..., Sources]
) -> None:
    await plane.publisher.publish(documents(), {}, "ann", "no agents")
    async with client(plane, "") as anyone:
        refused(await ask(anyone), Denial.ASSERTION_KEY)


@pytest.mark.parametrize(
    ("changes", "denial"),
    [
        ({"grant_type": None}, Denial.GRANT_TYPE),
        ({"grant_type": "authorization_code"}, Denial.GRANT_TYPE),
        ({"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, Denial.ASSERTION_TYPE),
        ({"client_assertion": None}, Denial.PARAMETER),
        ({"client_assertion": ""}, Denial.ASSERTION_FORM),
        ({"client_secret": "hunter2"}, Denial.PARAMETER),
    ],
)
async def test_another_form_is_refused(
    plane: ControlServices, client: Client, changes: dict[str, Any], denial: Denial, journal: MemoryJournal
) -> None:
    async with client(plane, "") as anyone:
        refused(await ask(anyone, form(**changes)), denial)
    assert [line.error for line in journal.lines] == [denial.name.lower()]


@pytest.mark.parametrize(
    ("content", "media_type", "denial"),
    [
        (
            b"grant_type=client_credentials&grant_type=client_credentials",
            "application/x-www-form-urlencoded",
            Denial.FORM,
        ),
        (b"grant_type", "application/x-www-form-urlencoded", Denial.FORM),
        (b"grant_type=%ff", "application/x-www-form-urlencoded", Denial.FORM),
        ("grant_type=\u00e9".encode(), "application/x-www-form-urlencoded", Denial.FORM),
        (b"&".join(b"a%d=1" % number for number in range(17)), "application/x-www-form-urlencoded", Denial.FORM),
        (b'{"grant_type": "client_credentials"}', "application/json", Denial.FORM),
        (b"a=" + b"b" * 40_000, "application/x-www-form-urlencoded", Denial.BODY),
    ],
)
async def test_what_is_no_small_form_is_refused(
    plane: ControlServices, client: Client, content: bytes, media_type: str, denial: Denial
) -> None:
    async with client(plane, "") as anyone:
        refused(await anyone.post("/v1/token", content=content, headers={"content-type": media_type}), denial)


async def test_one_proof_is_needed_and_no_more(plane: ControlServices, client: Client) -> None:
    async with client(plane, "") as anyone:
        refused(await anyone.post("/v1/token", data=form()), Denial.PROOF_MISSING)
        several = [("DPoP", proof()), ("DPoP", proof())]
        refused(await anyone.post("/v1/token", data=form(), headers=several), Denial.PROOF_MISSING)
        refused(await ask(anyone, dpop=proof(htu="https://elsewhere.example/v1/token")), Denial.PROOF_TARGET)


async def test_a_source_that_asks_too_often_waits_and_does_not_fill_the_journal(
    plane: ControlServices, client: Client, journal: MemoryJournal
) -> None:
    async with client(plane, "") as anyone:
        for _ in range(400):
            answer = await ask(anyone, {"grant_type": "x"}, "x")
            if answer.status_code == 429:
                break
    refused(answer, Denial.RATE)
    assert answer.headers["retry-after"] == "1"
    assert all(line.error == "proof_form" for line in journal.lines)


async def test_a_host_with_a_network_of_its_own_is_one_source(plane: ControlServices) -> None:
    application = create_app(plane)
    for number in range(400):
        transport = httpx.ASGITransport(application, client=(f"2001:db8::{number}", 40_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://control") as anyone:
            answer = await anyone.post("/v1/token", data={"grant_type": "x"})
        if answer.status_code == 429:
            break
    refused(answer, Denial.RATE)


async def test_an_agent_that_asks_too_often_waits(plane: ControlServices, client: Client) -> None:
    async with client(plane, "") as anyone:
        statuses = [(await ask(anyone)).status_code for _ in range(60)]
    assert statuses[0] == 200
    assert 429 in statuses


async def test_nothing_is_issued_while_replays_cannot_be_told(
    new_plane: Callable[..., ControlServices], client: Client, registered: Callable[[], Sources], journal: MemoryJournal
) -> None:
    services = new_plane(uses=DownUses(), journal=journal)
    services.publisher.start(registered)
    async with client(services, "") as anyone:
        answer = await ask(anyone)
    refused(answer, Denial.UNAVAILABLE)
    assert "secret" not in answer.text
    assert [line.error for line in journal.lines] == ["unavailable"]


async def test_nothing_is_issued_that_cannot_be_recorded(
    new_plane: Callable[..., ControlServices], client: Client, registered: Callable[[], Sources]
) -> None:
    services = new_plane(journal=FullJournal())
    services.publisher.start(registered)
    async with client(services, "") as anyone:
        refused(await ask(anyone), Denial.UNAVAILABLE)


async def test_nobody_is_registered_before_the_first_publication(
    plane: ControlServices, new_plane: Any, client: Client
) -> None:
    async with client(new_plane(), "") as anyone:
        refused(await ask(anyone), Denial.ASSERTION_KEY)


def test_no_two_refusals_are_described_alike() -> None:
    assert len({denial.description for denial in Denial}) == len(Denial)

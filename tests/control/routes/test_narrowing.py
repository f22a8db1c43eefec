"""`POST /v1/token` with an agent's own token: it becomes a narrower one, and never anything else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import Sources
from aegis_authz.core.revocation import Revoked, RevokedKind
from aegis_authz.core.scope import Scope
from aegis_authz.identity.issuance import Denial
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.testing.issuing import MemoryJournal
from tests.support.token_requests import assertion, binding, client_form, key_id, private_key, public_jwk

Client = Callable[[ControlServices, str], httpx.AsyncClient]
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
AGENT, HELPER = "acme/emea/payer", "acme/emea/helper"
KEY, HELPER_KEY, SUB_KEY, THIEF_KEY = private_key(b"k"), private_key(b"h"), private_key(b"s"), private_key(b"t")
DOCUMENTS = f"""\
agents:
  {AGENT}: {{keys: [{{kty: OKP, crv: Ed25519, x: {public_jwk(KEY)["x"]}}}]}}
  {HELPER}: {{keys: [{{kty: OKP, crv: Ed25519, x: {public_jwk(HELPER_KEY)["x"]}}}]}}
"""
PAY = {"type": "aegis_tool", "identifier": "bank", "actions": ["pay"], "values": {"payee": ["Muster"]}}
TASK = {"type": "aegis_task", "calls": 3, "expires_in": 600, "depth": 2}


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal(for_tests=True)


@pytest.fixture
def plane(
    new_plane: Callable[..., ControlServices], documents: Callable[..., Sources], journal: MemoryJournal
) -> ControlServices:
    services = new_plane(journal=journal)
    usual = documents()
    services.publisher.start(lambda: Sources({**usual.policies, "identity.yaml": DOCUMENTS}, usual.tools))
    return services


def proof(key: Any) -> dict[str, str]:
    return {"DPoP": binding(key, time.time(), jti=f"{time.time_ns()}")}


async def own_token(client: httpx.AsyncClient, agent: str = AGENT, key: Any = KEY) -> str:
    form = client_form(assertion(agent, key, time.time(), jti=f"{time.time_ns()}"))
    answer = await client.post("/v1/token", data=form, headers=proof(key))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def narrow(
    client: httpx.AsyncClient, token: str, *details: dict[str, Any], key: Any = KEY, **more: str
) -> httpx.Response:
    form = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ACCESS, **more}
    if details:
        form["authorization_details"] = json.dumps(details)
    return await client.post("/v1/token", data=form, headers=proof(key))


def claims_of(answer: httpx.Response, keys: Keys) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    claims: dict[str, Any] = jwt.decode(
        answer.json()["access_token"], keys.issuer.public_key(), ["EdDSA"], audience="aegis-mesh"
    )
    return claims


def refused(answer: httpx.Response, denial: Denial, detail: str = "") -> None:
    told = denial.description + (f": {detail}" if detail else "")
    assert (answer.status_code, answer.json()) == (denial.status, {"error": denial.error, "error_description": told})


async def test_an_own_token_becomes_one_with_a_grant(
    plane: ControlServices, client: Client, keys: Keys, journal: MemoryJournal
) -> None:
    async with client(plane, "") as anyone:
        own = await own_token(anyone)
        answer = await narrow(anyone, own, PAY, TASK)
    claims = claims_of(answer, keys)
    grant = claims["grant"]
    assert (claims["sub"], claims["cnf"]) == (AGENT, {"jkt": key_id(KEY)})
    assert (grant["tools"], grant["calls"], grant["depth"]) == ({"bank": {"pay": {"payee": ["Muster"]}}}, 3, 2)
    assert "within" not in grant
    assert 598 <= grant["exp"] - time.time() <= 600
    assert answer.json()["authorization_details"] == [
        PAY,
        {"type": "aegis_task", "calls": 3, "depth": 2, "expires_at": grant["exp"]},
    ]
    line = journal.lines[-1]
    assert (line.agent, line.granted, line.jti) == (AGENT, grant["id"], claims["jti"])
    assert line.subject.startswith(f"aegis {AGENT} ")
    assert own not in str(journal.lines)


async def test_a_narrowed_token_is_narrowed_further_for_another_key_and_only_further(
    plane: ControlServices, client: Client, keys: Keys, journal: MemoryJournal
) -> None:
    async with client(plane, "") as anyone:
        first = await narrow(anyone, await own_token(anyone), PAY, TASK)
        token = first.json()["access_token"]
        second = await narrow(anyone, token, {"type": "aegis_task", "calls": 1}, dpop_jkt=key_id(SUB_KEY))
        claims, parent = claims_of(second, keys), claims_of(first, keys)["grant"]
        assert (claims["cnf"], claims["sub"]) == ({"jkt": key_id(SUB_KEY)}, AGENT)
        assert claims["grant"]["within"] == parent
        assert (claims["grant"]["depth"], claims["grant"]["exp"]) == (1, parent["exp"])
        assert claims["grant"]["tools"] == parent["tools"]
        assert journal.lines[-1].granted == f"{parent['id']}/{claims['grant']['id']}"
        for details, wider in (
            ([{"type": "aegis_task", "calls": 4}], "count of calls"),
            ([{"type": "aegis_task", "depth": 2}], "depth"),
            ([{"type": "aegis_task", "expires_at": parent["exp"] + 1}], "end"),
            ([{**PAY, "identifier": "vault"}], "tool vault"),
            ([{**PAY, "identifier": "*"}], "tool *"),
            ([{**PAY, "actions": ["refund"]}], "action refund of bank"),
            ([{**PAY, "values": {}}], "values of payee in pay of bank"),
            ([{**PAY, "values": {"payee": ["Muster", "Evil"]}}], "values of payee in pay of bank"),
        ):
            refused(await narrow(anyone, token, *details), Denial.GRANT_WIDER, wider)
    assert journal.lines[-1].error == "grant_wider"


async def test_depth_ends_and_no_chain_goes_beyond_it(plane: ControlServices, client: Client, keys: Keys) -> None:
    async with client(plane, "") as anyone:
        token = await own_token(anyone)
        for depth in (4, 3, 2, 1, 0):
            answer = await narrow(anyone, token, {"type": "aegis_tool", "identifier": "b", "actions": ["*"]})
            assert claims_of(answer, keys)["grant"]["depth"] == depth
            token = answer.json()["access_token"]
        refused(await narrow(anyone, token, TASK | {"depth": 0}), Denial.GRANT_WIDER, "depth")
        renewed = await narrow(anyone, token)
        assert claims_of(renewed, keys)["grant"] == claims_of(answer, keys)["grant"]


async def test_a_narrowed_token_is_renewed_under_the_very_same_grant_by_its_key_alone(
    plane: ControlServices, client: Client, keys: Keys
) -> None:
    async with client(plane, "") as anyone:
        own = await own_token(anyone)
        first = await narrow(anyone, own, PAY, TASK, dpop_jkt=key_id(SUB_KEY))
        token = first.json()["access_token"]
        again = claims_of(await narrow(anyone, token, key=SUB_KEY), keys)
        assert again["grant"] == claims_of(first, keys)["grant"]
        assert again["jti"] != claims_of(first, keys)["jti"]
        refused(await narrow(anyone, token), Denial.SUBJECT_HOLDER)
        refused(await narrow(anyone, token, key=SUB_KEY, dpop_jkt=key_id(THIEF_KEY)), Denial.GRANT_MISSING)
        refused(await narrow(anyone, own), Denial.GRANT_MISSING)


async def test_who_has_the_token_and_not_its_key_gets_nothing(plane: ControlServices, client: Client) -> None:
    async with client(plane, "") as anyone:
        own = await own_token(anyone)
        refused(await narrow(anyone, own, PAY, key=THIEF_KEY), Denial.SUBJECT_HOLDER)
        refused(await narrow(anyone, own, PAY, key=THIEF_KEY, dpop_jkt=key_id(KEY)), Denial.SUBJECT_HOLDER)


async def test_a_sub_agent_acts_by_its_own_token_and_key(plane: ControlServices, client: Client, keys: Keys) -> None:
    async with client(plane, "") as anyone:
        own, helper = await own_token(anyone), await own_token(anyone, HELPER, HELPER_KEY)
        acting = {"actor_token": helper, "actor_token_type": ACCESS}
        claims = claims_of(await narrow(anyone, own, PAY, **acting), keys)
        assert (claims["sub"], claims["act"], claims["cnf"]) == (AGENT, {"sub": HELPER}, {"jkt": key_id(HELPER_KEY)})
        refused(await narrow(anyone, own, **acting), Denial.GRANT_MISSING)
        refused(await narrow(anyone, own, PAY, **acting, dpop_jkt=key_id(SUB_KEY)), Denial.BOUND_TO)
        refused(await narrow(anyone, own, PAY, actor_token=own, actor_token_type=ACCESS), Denial.ACTOR)
        refused(await narrow(anyone, own, PAY, actor_token="a.b.c", actor_token_type=ACCESS), Denial.ACTOR)
        refused(await narrow(anyone, own, PAY, actor_token=helper), Denial.SUBJECT_TYPE)
        bare = (await narrow(anyone, helper, PAY, key=HELPER_KEY)).json()["access_token"]
        refused(await narrow(anyone, own, PAY, actor_token=bare, actor_token_type=ACCESS), Denial.ACTOR)


@pytest.mark.parametrize(
    ("details", "problem"),
    [
        ("", "not JSON: "),
        ("{}", "not a list of objects"),
        ("[]", "not a list of objects"),
        ('["x"]', "an object whose type is neither"),
        ('[{"type": "payment_initiation"}]', "an object whose type is neither"),
        (json.dumps([TASK, TASK]), "an object whose type is neither"),
        (json.dumps([{**TASK, "sum": 5}]), "an aegis_task has other members"),
        (json.dumps([{**TASK, "expires_at": 5}]), "an aegis_task has other members"),
        (json.dumps([{**TASK, "calls": 0}]), "calls is not a whole number"),
        (json.dumps([{**TASK, "depth": 5}]), "depth is not a whole number"),
        (json.dumps([{**TASK, "expires_in": -1}]), "the end is not a number of seconds"),
        (json.dumps([{**PAY, "max": 5}]), "an aegis_tool has other members"),
        (json.dumps([{**PAY, "actions": []}]), "an aegis_tool without a tool"),
        (json.dumps([PAY, PAY]), "an action of bank that is no text, or is listed twice"),
        (json.dumps([{**PAY, "values": {"payee": []}}]), "a parameter has no list of values"),
        (json.dumps([{**PAY, "identifier": "Bank"}]), "a tool has no name of a tool"),
        ("[" + " " * 16_384 + "]", "more than 16 KiB"),
    ],
)
async def test_what_is_no_task_is_refused_in_words_about_it(
    plane: ControlServices, client: Client, details: str, problem: str
) -> None:
    async with client(plane, "") as anyone:
        answer = await narrow(anyone, await own_token(anyone), authorization_details=details)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_authorization_details")
    assert answer.json()["error_description"].startswith(f"{Denial.GRANT_FORM.description}: {problem}")


async def test_a_task_that_is_over_or_lasts_too_long_or_says_too_much_is_refused(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "") as anyone:
        own = await own_token(anyone)
        past = {"type": "aegis_task", "expires_at": int(time.time()) - 5}
        refused(await narrow(anyone, own, PAY, past), Denial.GRANT_OVER)
        refused(await narrow(anyone, own, PAY, {"type": "aegis_task", "expires_in": 90_000}), Denial.GRANT_WIDER, "end")
        many = [{**PAY, "actions": [f"action-{number}-{'x' * 50}" for number in range(60)]}]
        refused(await narrow(anyone, own, *many), Denial.GRANT_LARGE)


async def test_a_token_that_is_not_good_is_not_narrowed(plane: ControlServices, client: Client, keys: Keys) -> None:
    async with client(plane, "") as anyone:
        own = await own_token(anyone)
        head, payload, signature = own.split(".")
        broken = f"{head}.{payload}.{signature[:-4]}{'AAAA' if signature[-4:] != 'AAAA' else 'BBBB'}"
        refused(await narrow(anyone, broken, PAY), Denial.SUBJECT_OWN)
        stranger = jwt.encode(
            jwt.decode(own, options={"verify_signature": False}),
            THIEF_KEY,
            "EdDSA",
            {"typ": "aegis+jwt", "kid": jwt.get_unverified_header(own)["kid"]},
        )
        refused(await narrow(anyone, stranger, PAY), Denial.SUBJECT_OWN)
        refused(await narrow(anyone, own, PAY, subject_token_type="urn:x"), Denial.SUBJECT_TYPE)
        refused(await narrow(anyone, own, PAY, client_assertion="x"), Denial.PARAMETER)
        single = jwt.encode(
            {
                name: value
                for name, value in jwt.decode(own, options={"verify_signature": False}).items()
                if name != "cnf"
            },
            keys.issuer,
            "EdDSA",
            {"typ": "aegis+jwt", "kid": jwt.get_unverified_header(own)["kid"]},
        )
        refused(await narrow(anyone, single, PAY), Denial.SUBJECT_HOLDER)


@pytest.mark.parametrize("kind", ["token", "sub-agent key", "agent"])
async def test_what_is_revoked_is_not_narrowed(plane: ControlServices, client: Client, kind: str, keys: Keys) -> None:
    async with client(plane, "") as anyone:
        own = await own_token(anyone)
        jti = jwt.decode(own, options={"verify_signature": False})["jti"]
        target = {
            "token": Revoked(RevokedKind.TOKEN, "acme", "emea", jti),
            "sub-agent key": Revoked(RevokedKind.KEY, "acme", "emea", key_id(SUB_KEY)),
            "agent": Revoked(RevokedKind.AGENT, "acme", "emea", "payer"),
        }[kind]
        with pytest.raises(StoreDown):  # Redis is not there, and the list is kept all the same
            await plane.revoker.revoke(target, "alice", "")
        refused(await narrow(anyone, own, PAY, dpop_jkt=key_id(SUB_KEY)), Denial.REVOKED)


@pytest.mark.parametrize("target", [HELPER, "acme/us/helper"])
async def test_a_token_that_a_revoked_agent_acts_by_is_neither_renewed_nor_narrowed(
    plane: ControlServices, client: Client, target: str
) -> None:
    async with client(plane, "") as anyone:
        own, helper = await own_token(anyone), await own_token(anyone, HELPER, HELPER_KEY)
        first = await narrow(anyone, own, PAY, TASK, actor_token=helper, actor_token_type=ACCESS)
        acting = first.json()["access_token"]
        with pytest.raises(StoreDown):
            await plane.revoker.revoke(Revoked.agent(Scope.parse(target)), "alice", "")
        for details in ((), (PAY,)):
            answer = await narrow(anyone, acting, *details, key=HELPER_KEY)
            if target == HELPER:
                refused(answer, Denial.REVOKED)
            else:
                assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("target", [KEY, SUB_KEY, THIEF_KEY])
async def test_a_revoked_key_ends_what_was_narrowed_by_it_for_other_keys(
    plane: ControlServices, client: Client, keys: Keys, target: Any
) -> None:
    async with client(plane, "") as anyone:
        first = await narrow(anyone, await own_token(anyone), PAY, TASK, dpop_jkt=key_id(SUB_KEY))
        second = await narrow(anyone, first.json()["access_token"], PAY, key=SUB_KEY, dpop_jkt=key_id(HELPER_KEY))
        grant = claims_of(second, keys)["grant"]
        assert (grant["by"], grant["within"]["by"]) == (key_id(SUB_KEY), key_id(KEY))
        with pytest.raises(StoreDown):
            await plane.revoker.revoke(Revoked(RevokedKind.KEY, "acme", "emea", key_id(target)), "alice", "")
        renewed = await narrow(anyone, second.json()["access_token"], key=HELPER_KEY)
        if target is THIEF_KEY:
            assert claims_of(renewed, keys)["grant"] == grant
        else:
            refused(renewed, Denial.REVOKED)


async def test_a_sub_agent_that_asks_too_often_waits_and_nobody_beside_it(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "") as anyone:
        first = await narrow(anyone, await own_token(anyone), PAY, TASK, dpop_jkt=key_id(SUB_KEY))
        token = first.json()["access_token"]
        for _ in range(60):
            answer = await narrow(anyone, token, key=SUB_KEY)
            if answer.status_code == 429:
                break
        refused(answer, Denial.RATE)
        assert (await narrow(anyone, await own_token(anyone), PAY)).status_code == 200

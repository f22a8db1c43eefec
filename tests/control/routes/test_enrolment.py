"""Invitations and enrolment: a code is good once, for whoever has the key it comes with."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import certifi
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.files.authority_folder import AuthorityFolder
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.core.enrolment import Enrolled, EnrolledKey
from aegis_authz.core.release import Sources
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.testing.agent_states import MemoryEnrolments
from tests.support.token_requests import assertion, binding, client_form, enrolment, key_id, private_key, public_jwk

Client = Callable[[ControlServices, str], httpx.AsyncClient]
AGENT, DOOR = "acme/emea/payer", "/v1/agents/acme/emea/payer/invite"
KEY, STRANGER = private_key(b"k"), private_key(b"s")


@pytest.fixture
def plane(new_plane: Callable[..., ControlServices], documents: Callable[..., Sources]) -> ControlServices:
    services = new_plane()
    services.publisher.start(documents)
    return services


async def invited(client: httpx.AsyncClient, door: str = DOOR) -> str:
    answer = await client.post(door, json={"ttl": 600})
    assert answer.status_code == 200, answer.text
    code: str = answer.json()["code"]
    return code


async def token_for(client: httpx.AsyncClient, key: Ed25519PrivateKey = KEY) -> httpx.Response:
    now = time.time()
    return await client.post(
        "/v1/token", data=client_form(assertion(AGENT, key, now)), headers={"DPoP": binding(key, now)}
    )


async def test_an_agent_is_told_where_others_reach_the_mesh_and_not_where_envoy_listens(
    settings: ControlSettings,
    new_plane: Callable[..., ControlServices],
    documents: Callable[..., Sources],
    client: Client,
) -> None:
    public = {"public_proxy": "http://gateway:10000", "public_reverse": "http://gateway:10001"}
    public["public_evaluation"] = "https://gateway:10003"
    plane = new_plane(settings=settings.model_copy(update=public))
    plane.publisher.start(documents)
    async with client(plane, "ann") as admin:
        enrolled = await admin.post("/v1/enroll", json=enrolment(await invited(admin), KEY, time.time()))
    assert enrolled.json()["mesh"] == {
        "forward_proxy": "http://gateway:10000",
        "reverse": "http://gateway:10001",
        "evaluation": "https://gateway:10003",
    }


async def test_agents_are_told_of_the_authorities_by_which_the_mesh_opens_https(
    settings: ControlSettings,
    new_plane: Callable[..., ControlServices],
    documents: Callable[..., Sources],
    client: Client,
    tmp_path: Path,
) -> None:
    folder = AuthorityFolder(tmp_path / "ca", Path(certifi.where()))
    plane = new_plane(settings=settings.model_copy(update={"authorities": folder.trusted}))
    plane.publisher.start(documents)
    async with client(plane, "ann") as admin, client(plane, "") as anyone:
        assert (await anyone.get("/v1/authorities")).status_code == 503  # there is no file yet
        first = folder.open(Epoch(time.time()))
        told = (await anyone.get("/v1/authorities")).json()
        assert told == {"authorities": [first.certificate.decode()], "endorsements": []}
        second = folder.begin(Epoch(time.time()), ())
        told = (await anyone.get("/v1/authorities")).json()
        assert told["authorities"] == [first.certificate.decode(), second.certificate.decode()]
        assert len(told["endorsements"]) == 1
        assert "PRIVATE" not in json.dumps(told)
        invitation = (await admin.post(DOOR, json={"ttl": 600})).json()
        assert invitation["authority"] == first.fingerprint


async def test_a_mesh_that_opens_no_https_has_no_authorities(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as admin:
        assert (await admin.get("/v1/authorities")).status_code == 404
        assert (await admin.post(DOOR, json={"ttl": 600})).json()["authority"] == ""


async def rates(url: str, attempts: int, network: str = "10.0.0.") -> list[int]:
    """What attempts that cannot succeed are answered, each said to come from an address of its own in the network."""
    body = {"code": "x", "jwk": {}, "proof": "x"}
    async with httpx.AsyncClient(base_url=url) as http:
        return [
            (await http.post("/v1/enroll", json=body, headers={"x-forwarded-for": f"{network}{n}"})).status_code
            for n in range(attempts)
        ]


@pytest.mark.parametrize(("gateways", "refused"), [((), True), (("192.0.2.0/24",), True), (("127.0.0.0/8",), False)])
async def test_who_asks_is_what_a_gateway_says_and_nobody_else(
    plane: ControlServices,
    serving: Callable[..., AbstractAsyncContextManager[str]],
    gateways: Sequence[str],
    refused: bool,
) -> None:
    async with serving(plane, gateways=gateways) as url:
        answers = await rates(url, 20)
    assert (429 in answers) is refused
    assert 400 in answers


@pytest.mark.parametrize(("network", "refused"), [("2001:db8::", True), ("::ffff:192.0.2.", False)])
async def test_a_host_with_a_network_of_its_own_is_one_source(
    plane: ControlServices, serving: Callable[..., AbstractAsyncContextManager[str]], network: str, refused: bool
) -> None:
    async with serving(plane, gateways=("127.0.0.0/8",)) as url:
        answers = await rates(url, 20, network)
    assert (429 in answers) is refused


async def test_an_agent_brings_its_key_for_a_code_and_gets_tokens_with_it(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "ann") as admin:
        assert (await token_for(admin)).status_code == 401
        enrolled = await admin.post("/v1/enroll", json=enrolment(await invited(admin), KEY, time.time()))
        assert (await token_for(admin)).status_code == 200
        listed = (await admin.get("/v1/agents")).json()["agents"]
        changes = (await admin.get("/v1/revisions")).json()["changes"]
    assert enrolled.json() == {
        "agent": AGENT,
        "issuer": "aegis",
        "audience": "aegis-mesh",
        "token_endpoint": "http://127.0.0.1:7000/v1/token",
        "mesh": {"forward_proxy": "", "reverse": "", "evaluation": ""},
    }
    [agent] = listed
    [key] = agent["keys"]
    assert (agent["agent"], key["kid"], key["invited_by"]) == (AGENT, key_id(KEY), "ann")
    assert [(change["kind"], change["agent"]) for change in changes[:2]] == [("enrolled", AGENT), ("invited", AGENT)]


async def test_what_is_enrolled_outlives_publications_and_restarts(
    plane: ControlServices, new_plane: Callable[..., ControlServices], documents: Callable[..., Sources], client: Client
) -> None:
    async with client(plane, "ann") as admin:
        await admin.post("/v1/enroll", json=enrolment(await invited(admin), KEY, time.time()))
        await plane.publisher.publish(documents(limit=7), {}, "ann", "")
        assert (await token_for(admin)).status_code == 200
    again = new_plane()
    again.publisher.start(documents)
    async with client(again, "") as anyone:
        assert (await token_for(anyone)).status_code == 200


class Elsewhere(MemoryEnrolments):
    """Enrolments in which another control plane has enrolled KEY, which is seen at the next look."""

    looks = 0

    def refresh(self) -> None:
        self.looks += 1
        key = EnrolledKey(Scope.parse(AGENT), KEY.public_key().public_bytes_raw(), Epoch(time.time()), "ann")
        self.current = Enrolled((), (key,))


async def test_who_enrolled_at_another_control_plane_has_a_token_at_once(
    new_plane: Callable[..., ControlServices], documents: Callable[..., Sources], client: Client
) -> None:
    elsewhere = Elsewhere(for_tests=True)
    plane = new_plane(enrolments=elsewhere)
    plane.publisher.start(documents)
    async with client(plane, "") as anyone:
        assert (await token_for(anyone)).status_code == 200
    assert elsewhere.looks == 1


async def test_strangers_do_not_have_us_look_without_end(
    new_plane: Callable[..., ControlServices], documents: Callable[..., Sources], client: Client
) -> None:
    elsewhere = Elsewhere(for_tests=True)
    plane = new_plane(enrolments=elsewhere)
    plane.publisher.start(documents)
    begun = time.monotonic()
    async with client(plane, "") as anyone:
        for _ in range(6):
            assert (await token_for(anyone, STRANGER)).status_code == 401
    assert elsewhere.looks <= 1 + (time.monotonic() - begun) / 0.25


async def test_a_code_is_kept_as_its_hash_alone(
    plane: ControlServices, client: Client, enrolments: MemoryEnrolments
) -> None:
    async with client(plane, "ann") as admin:
        code = await invited(admin)
    [invitation] = enrolments.current.invitations
    assert code not in str(invitation)
    assert hashlib.sha256(code.encode()).hexdigest() == invitation.digest


async def test_a_code_is_good_once_and_no_other_code_is_good(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as admin:
        code = await invited(admin)
        assert (await admin.post("/v1/enroll", json=enrolment(code, KEY, time.time()))).status_code == 200
        again = await admin.post("/v1/enroll", json=enrolment(code, STRANGER, time.time()))
        wrong = await admin.post("/v1/enroll", json=enrolment("0" * 64, STRANGER, time.time()))
    assert (again.status_code, again.json()) == (wrong.status_code, wrong.json())
    assert again.json()["detail"] == "the code is unknown, used or over; ask for another one"


async def test_a_code_is_over_after_its_time(
    plane: ControlServices, client: Client, enrolments: MemoryEnrolments
) -> None:
    async with client(plane, "ann") as admin:
        code = await invited(admin)
    [invitation] = enrolments.current.invitations
    enrolments.current = Enrolled((replace(invitation, expires_at=Epoch(time.time() - 1)),), ())
    async with client(plane, "") as anyone:
        assert (await anyone.post("/v1/enroll", json=enrolment(code, KEY, time.time()))).status_code == 403


async def test_a_key_is_no_other_agents_and_the_code_stays_good(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as admin:
        await admin.post("/v1/enroll", json=enrolment(await invited(admin), KEY, time.time()))
        code = await invited(admin, "/v1/agents/acme/apac/payer/invite")
        taken = await admin.post("/v1/enroll", json=enrolment(code, KEY, time.time()))
        assert taken.status_code == 409
        assert (await admin.post("/v1/enroll", json=enrolment(code, STRANGER, time.time()))).status_code == 200


@pytest.mark.parametrize(
    ("change", "header", "claims"),
    [
        ({"jwk": public_jwk(STRANGER)}, {}, {}),
        ({"jwk": {"kty": "oct", "k": "AA"}}, {}, {}),
        ({"proof": "a.b.c"}, {}, {}),
        ({}, {"typ": "dpop+jwt"}, {}),
        ({}, {"alg": "none"}, {}),
        ({}, {"jwk": public_jwk(STRANGER)}, {}),
        ({}, {}, {"aud": "https://elsewhere.example/v1/enroll"}),
        ({}, {}, {"code_hash": "x"}),
        ({}, {}, {"iat": 5}),
        ({}, {}, {"jti": ""}),
        ({}, {}, {"jti": None}),
        ({}, {}, {"more": 1}),
    ],
)
async def test_a_key_that_is_not_proven_is_not_taken(
    plane: ControlServices, client: Client, change: dict[str, Any], header: dict[str, Any], claims: dict[str, Any]
) -> None:
    async with client(plane, "ann") as admin:
        code = await invited(admin)
        body = {**enrolment(code, KEY, time.time(), header, **claims), **change}
        assert (await admin.post("/v1/enroll", json=body)).status_code == 400
        assert (await admin.get("/v1/agents")).json() == {"agents": []}
        assert (await admin.post("/v1/enroll", json=enrolment(code, KEY, time.time()))).status_code == 200


async def test_codes_cannot_be_tried_out(plane: ControlServices, client: Client) -> None:
    async with client(plane, "") as anyone:
        statuses = [
            (await anyone.post("/v1/enroll", json=enrolment(f"{number}", KEY, time.time()))).status_code
            for number in range(30)
        ]
    assert statuses[0] == 403
    assert statuses[-1] == 429


async def test_only_the_admin_invites_and_lists(plane: ControlServices, client: Client) -> None:
    async with client(plane, "0" * 64) as anyone:
        assert (await anyone.post(DOOR, json={})).status_code == 401
        assert (await anyone.get("/v1/agents")).status_code == 401

"""`POST /v1/token` with tokens of other issuers: what is exchanged, and each thing that is not, with its own words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import Sources
from aegis_authz.core.revocation import Revoked
from aegis_authz.encoding.verifying_key import VerifyingKey, verifying_key
from aegis_authz.identity.issuance import Denial
from aegis_authz.ports.control_plane import KeysUnavailable, ReviewUnavailable
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.testing.issuing import MemoryJournal
from tests.support.token_requests import ASSERTION_TYPE, assertion, binding, key_id, private_key, public_jwk

Client = Callable[[ControlServices, str], httpx.AsyncClient]
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"
ISSUER, AUDIENCE, URL = "https://ci.example", "aegis", "https://ci.example/keys"
RSA_KEY, OTHER_RSA = (rsa.generate_private_key(65537, 2048) for _ in range(2))
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OKP_KEY = ed25519.Ed25519PrivateKey.from_private_bytes(b"o" * 32)
AGENT_KEY, POD_KEY, THIEF_KEY = private_key(b"k"), private_key(b"p"), private_key(b"t")
DOCUMENTS = f"""\
agents:
  acme/emea/payer: {{keys: [{{kty: OKP, crv: Ed25519, x: {public_jwk(AGENT_KEY)["x"]}}}]}}
---
trust: ci
issuer: {ISSUER}
audience: {AUDIENCE}
jwks: {URL}
algorithms: [RS256, PS256, ES256, EdDSA]
subjects:
  - {{claims: {{repository: acme/shop, protected: true}}, agent: acme/emea/shop}}
  - {{claims: {{group: workloads}}, agent: "acme/emea/{{workload}}"}}
  - {{claims: {{group: finance}}, agent: acme/emea/payer, on_behalf_of: email}}
---
trust: cluster
kind: kubernetes
issuer: https://kubernetes.default.svc
audience: {AUDIENCE}
jwks: {URL}
algorithms: [RS256]
reuse: same_key
subjects:
  - {{claims: {{"/kubernetes.io/namespace": shop, "/kubernetes.io/serviceaccount/name": agent}}, agent: acme/emea/shop}}
---
trust: mesh
kind: spiffe
issuer: spiffe://prod.example
audience: {AUDIENCE}
jwks: {URL}
algorithms: [ES256]
subjects:
  - {{claims: {{sub: "spiffe://prod.example/ns/shop/sa/agent"}}, agent: acme/emea/shop}}
---
trust: reviewed
kind: kubernetes
issuer: https://reviewed.example
audience: {AUDIENCE}
token_review: production
algorithms: [RS256]
subjects:
  - {{claims: {{"/kubernetes.io/namespace": shop}}, agent: acme/emea/shop}}
---
trust: discovered
issuer: https://discovered.example
audience: {AUDIENCE}
discovery: true
algorithms: [RS256]
subjects:
  - {{claims: {{repository: acme/shop}}, agent: acme/emea/shop}}
---
trust: signed-only-by-rsa
issuer: https://rsa.example
audience: {AUDIENCE}
jwks: {URL}
algorithms: [RS256]
subjects:
  - {{claims: {{repository: acme/shop}}, agent: acme/emea/shop}}
"""
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "sub": "repo:acme/shop", "repository": "acme/shop", "protected": True}


def jwks() -> tuple[VerifyingKey, ...]:
    jwks = [
        {**json.loads(RSAAlgorithm.to_jwk(RSA_KEY.public_key())), "kid": "rsa"},
        {**json.loads(ECAlgorithm.to_jwk(EC_KEY.public_key())), "kid": "ec"},
        {**json.loads(OKPAlgorithm.to_jwk(OKP_KEY.public_key())), "kid": "okp"},
    ]
    return tuple(verifying_key({name: value for name, value in jwk.items() if name != "key_ops"}) for jwk in jwks)


@dataclass
class IssuerKeys:
    """The issuers' keys; `is_down` while they cannot be fetched."""

    is_down: bool = False
    fetches: int = 0
    keys: tuple[VerifyingKey, ...] = field(default_factory=jwks)

    async def fetch(self, url: str) -> tuple[VerifyingKey, ...]:
        self.fetches += 1
        if self.is_down:
            raise KeysUnavailable(url)
        return self.keys

    async def discover(self, issuer: str) -> str:
        if self.is_down:
            raise KeysUnavailable(issuer)
        return f"{issuer}/keys"


@dataclass
class Clusters:
    """A cluster that knows tokens by their text."""

    users: dict[str, str] = field(default_factory=dict)
    is_down: bool = False
    reviews: int = 0

    async def user(self, cluster: str, token: str, audience: str) -> str:
        assert (cluster, audience) == ("production", AUDIENCE)
        self.reviews += 1
        if self.is_down:
            raise ReviewUnavailable("the API server does not answer")
        return self.users.get(token, "")


@pytest.fixture
def clusters() -> Clusters:
    return Clusters()


@pytest.fixture
def issuer_keys() -> IssuerKeys:
    return IssuerKeys()


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal(for_tests=True)


@pytest.fixture
def plane(
    new_plane: Callable[..., ControlServices],
    documents: Callable[..., Sources],
    issuer_keys: IssuerKeys,
    clusters: Clusters,
    journal: MemoryJournal,
) -> ControlServices:
    services = new_plane(key_sets=issuer_keys, reviews=clusters, journal=journal)
    usual = documents()
    services.publisher.start(lambda: Sources({**usual.policies, "identity.yaml": DOCUMENTS}, usual.tools))
    return services


def subject(
    key: Any = RSA_KEY,
    algorithm: str = "RS256",
    kid: str | None = "rsa",
    base: Mapping[str, Any] = CLAIMS,
    **claims: Any,
) -> str:
    """A token of the issuer; `claims` replace its own, None leaves one out."""
    now = time.time()
    own = {**base, "iat": now, "exp": now + 600, "jti": f"{time.time_ns()}", **claims}
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode({name: value for name, value in own.items() if value is not None}, key, algorithm, headers)


async def exchange(client: httpx.AsyncClient, token: str, key: Any = POD_KEY, **more: str) -> httpx.Response:
    data = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": JWT, **more}
    proof = binding(key, time.time(), jti=f"{time.time_ns()}")
    return await client.post("/v1/token", data=data, headers={"DPoP": proof})


def refused(answer: httpx.Response, denial: Denial) -> None:
    assert (answer.status_code, answer.json()) == (
        denial.status,
        {"error": denial.error, "error_description": denial.description},
    )


def claims_of(answer: httpx.Response, keys: Keys) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    claims: dict[str, Any] = jwt.decode(
        answer.json()["access_token"], keys.issuer.public_key(), ["EdDSA"], audience="aegis-mesh"
    )
    return claims


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [(RSA_KEY, "RS256", "rsa"), (RSA_KEY, "PS256", "rsa"), (EC_KEY, "ES256", "ec"), (OKP_KEY, "EdDSA", "okp")],
)
async def test_a_token_of_a_trusted_issuer_becomes_one_of_the_agent(
    plane: ControlServices, client: Client, keys: Keys, journal: MemoryJournal, key: Any, algorithm: str, kid: str
) -> None:
    token = subject(key, algorithm, kid, jti="j-1")
    async with client(plane, "") as anyone:
        claims = claims_of(await exchange(anyone, token), keys)
    assert (claims["sub"], claims["cnf"]) == ("acme/emea/shop", {"jkt": key_id(POD_KEY)})
    [line] = journal.lines
    assert (line.agent, line.subject, line.jti) == ("acme/emea/shop", "ci repo:acme/shop j-1", claims["jti"])
    assert token not in str(line)


async def test_a_claim_names_the_agent_and_nothing_but_an_agent(
    plane: ControlServices, client: Client, keys: Keys
) -> None:
    named = {**CLAIMS, "repository": None, "group": "workloads"}
    async with client(plane, "") as anyone:
        claims = claims_of(await exchange(anyone, subject(base=named, workload="report")), keys)
        assert claims["sub"] == "acme/emea/report"
        for workload in ("../x", "a/b", "Payer", "", "x/y/z", 7, None):
            refused(await exchange(anyone, subject(base=named, workload=workload)), Denial.SUBJECT_NAME)


@pytest.mark.parametrize(
    ("claims", "denial"),
    [
        ({"iss": "https://evil.example"}, Denial.SUBJECT_ISSUER),
        ({"iss": ISSUER + "/"}, Denial.SUBJECT_ISSUER),
        ({"iss": None}, Denial.SUBJECT_ISSUER),
        ({"aud": "other"}, Denial.SUBJECT_AUDIENCE),
        ({"aud": None}, Denial.SUBJECT_AUDIENCE),
        ({"aud": ["other", "aegis "]}, Denial.SUBJECT_AUDIENCE),
        ({"exp": 5}, Denial.SUBJECT_EXPIRED),
        ({"exp": None}, Denial.SUBJECT_FORM),
        ({"sub": None}, Denial.SUBJECT_FORM),
        ({"repository": "acme/other"}, Denial.SUBJECT_UNMATCHED),
        ({"repository": ["acme/shop"]}, Denial.SUBJECT_UNMATCHED),
        ({"protected": 1}, Denial.SUBJECT_UNMATCHED),
        ({"protected": "true"}, Denial.SUBJECT_UNMATCHED),
        ({"act": {"sub": ""}}, Denial.SUBJECT_FORM),
    ],
)
async def test_each_wrong_claim_is_refused_in_its_own_words(
    plane: ControlServices, client: Client, claims: dict[str, Any], denial: Denial, journal: MemoryJournal
) -> None:
    async with client(plane, "") as anyone:
        refused(await exchange(anyone, subject(**claims)), denial)
    assert [line.error for line in journal.lines] == [denial.name.lower()]


@pytest.mark.parametrize(
    ("claim", "seconds", "denial"),
    [
        ("exp", 4000, Denial.SUBJECT_LIFE),
        ("exp", -500, Denial.SUBJECT_EXPIRED),
        ("iat", 500, Denial.SUBJECT_EARLY),
        ("nbf", 500, Denial.SUBJECT_EARLY),
    ],
)
async def test_each_wrong_time_is_refused_in_its_own_words(
    plane: ControlServices, client: Client, claim: str, seconds: int, denial: Denial, journal: MemoryJournal
) -> None:
    async with client(plane, "") as anyone:
        refused(await exchange(anyone, subject(**{claim: time.time() + seconds})), denial)
    assert [line.error for line in journal.lines] == [denial.name.lower()]


async def test_a_token_is_exchanged_once(plane: ControlServices, client: Client) -> None:
    token, nameless = subject(), subject(jti=None)
    async with client(plane, "") as anyone:
        for text in (token, nameless):
            assert (await exchange(anyone, text)).status_code == 200
            refused(await exchange(anyone, text), Denial.SUBJECT_REPLAYED)


async def test_a_token_that_may_be_used_again_is_good_for_the_first_key_alone(
    plane: ControlServices, client: Client
) -> None:
    pod = {
        "iss": "https://kubernetes.default.svc",
        "aud": [AUDIENCE],
        "sub": "system:serviceaccount:shop:agent",
        "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "agent", "uid": "u"}},
    }
    token = subject(base=pod)
    async with client(plane, "") as anyone:
        assert [(await exchange(anyone, token)).status_code for _ in range(3)] == [200, 200, 200]
        refused(await exchange(anyone, token, THIEF_KEY), Denial.SUBJECT_REPLAYED)
        elsewhere = {**pod, "kubernetes.io": {"namespace": "other", "serviceaccount": {"name": "agent"}}}
        refused(await exchange(anyone, subject(base=elsewhere)), Denial.SUBJECT_UNMATCHED)


async def test_a_svid_is_told_by_its_trust_domain(plane: ControlServices, client: Client, keys: Keys) -> None:
    svid = {"aud": [AUDIENCE], "sub": "spiffe://prod.example/ns/shop/sa/agent"}
    async with client(plane, "") as anyone:
        claims = claims_of(await exchange(anyone, subject(EC_KEY, "ES256", "ec", svid, iat=None, jti=None)), keys)
        assert claims["sub"] == "acme/emea/shop"
        for other in ("spiffe://prod.example.evil/ns/shop/sa/agent", "spiffe://other.example/ns/shop/sa/agent"):
            refused(
                await exchange(anyone, subject(EC_KEY, "ES256", "ec", {**svid, "sub": other})), Denial.SUBJECT_ISSUER
            )


REVIEWED = {
    "iss": "https://reviewed.example",
    "aud": [AUDIENCE],
    "sub": "system:serviceaccount:shop:agent",
    "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "agent", "uid": "u"}},
}


async def test_a_cluster_that_is_asked_says_whose_token_it_is(
    plane: ControlServices, client: Client, keys: Keys, clusters: Clusters, issuer_keys: IssuerKeys
) -> None:
    good, gone, another = (subject(OTHER_RSA, base=REVIEWED) for _ in range(3))
    person = subject(OTHER_RSA, base={**REVIEWED, "sub": "ann"})
    clusters.users = {good: REVIEWED["sub"], another: "system:serviceaccount:shop:other", person: "ann"}
    async with client(plane, "") as anyone:
        assert claims_of(await exchange(anyone, good), keys)["sub"] == "acme/emea/shop"
        refused(await exchange(anyone, good), Denial.SUBJECT_REPLAYED)
        for text in (gone, another, person):
            refused(await exchange(anyone, text), Denial.SUBJECT_REVIEW)
        elsewhere = subject(OTHER_RSA, base={**REVIEWED, "kubernetes.io": {"namespace": "other"}})
        clusters.users[elsewhere] = REVIEWED["sub"]
        refused(await exchange(anyone, elsewhere), Denial.SUBJECT_UNMATCHED)
        late = subject(OTHER_RSA, base=REVIEWED, exp=time.time() - 1)
        clusters.users[late] = REVIEWED["sub"]
        refused(await exchange(anyone, late), Denial.SUBJECT_EXPIRED)
    assert issuer_keys.fetches == 0


async def test_while_a_cluster_cannot_be_asked_nothing_of_it_is_exchanged(
    plane: ControlServices, client: Client, clusters: Clusters, journal: MemoryJournal
) -> None:
    text = subject(OTHER_RSA, base=REVIEWED)
    clusters.users, clusters.is_down = {text: REVIEWED["sub"]}, True
    async with client(plane, "") as anyone:
        refused(await exchange(anyone, text), Denial.SUBJECT_REVIEW_DOWN)
        clusters.is_down = False
        assert (await exchange(anyone, text)).status_code == 200
    assert journal.lines[0].detail == "reviewed: the API server does not answer"


async def test_one_source_cannot_keep_a_cluster_busy_with_tokens_that_are_not_good(
    plane: ControlServices, client: Client, clusters: Clusters, journal: MemoryJournal
) -> None:
    begun = time.monotonic()
    async with client(plane, "") as anyone:
        for _ in range(60):
            answer = await exchange(anyone, subject(OTHER_RSA, base=REVIEWED))
            if answer.status_code == 429:
                break
        refused(answer, Denial.RATE)
        assert clusters.reviews <= 20 + 2 * (time.monotonic() - begun + 1)
        assert (await exchange(anyone, subject())).status_code == 200  # by keys, which nobody is asked for
    assert [line.error for line in journal.lines][-2:] == ["rate", ""]


async def test_an_issuer_whose_keys_are_discovered_is_exchanged_like_others(
    plane: ControlServices, client: Client, keys: Keys, issuer_keys: IssuerKeys
) -> None:
    token = {**CLAIMS, "iss": "https://discovered.example"}
    async with client(plane, "") as anyone:
        assert claims_of(await exchange(anyone, subject(base=token)), keys)["sub"] == "acme/emea/shop"
        issuer_keys.is_down = True
        assert (await exchange(anyone, subject(base=token))).status_code == 200
        refused(await exchange(anyone, subject(base={**token, "iss": ISSUER})), Denial.SUBJECT_KEYS_DOWN)


async def test_a_svid_may_be_called_jose(plane: ControlServices, client: Client, keys: Keys) -> None:
    now = time.time()
    claims = {"aud": [AUDIENCE], "sub": "spiffe://prod.example/ns/shop/sa/agent", "exp": now + 60}
    svid = jwt.encode(claims, EC_KEY, "ES256", {"kid": "ec", "typ": "JOSE"})
    async with client(plane, "") as anyone:
        assert claims_of(await exchange(anyone, svid), keys)["sub"] == "acme/emea/shop"


async def test_a_token_without_a_signature_and_a_mac_are_refused(plane: ControlServices, client: Client) -> None:
    unsigned = jwt.encode({**CLAIMS, "exp": time.time() + 60}, None, "none")
    public = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    mac = jwt.PyJWS()
    mac.unregister_algorithm("HS256")
    mac.register_algorithm("HS256", _BareHmac())
    confused = mac.encode(json.dumps({**CLAIMS, "exp": time.time() + 60}).encode(), public, "HS256", {"kid": "rsa"})
    async with client(plane, "") as anyone:
        refused(await exchange(anyone, unsigned), Denial.SUBJECT_UNSIGNED)
        refused(await exchange(anyone, confused), Denial.SUBJECT_ALGORITHM)


class _BareHmac(jwt.algorithms.HMACAlgorithm):
    """HS256 that takes a public key for its secret, as an attacker would; PyJWT refuses to."""

    def __init__(self) -> None:
        super().__init__(jwt.algorithms.HMACAlgorithm.SHA256)

    def prepare_key(self, key: str | bytes) -> bytes:
        return key if isinstance(key, bytes) else key.encode()


async def test_an_algorithm_of_another_issuer_is_refused(plane: ControlServices, client: Client) -> None:
    claims = {**CLAIMS, "iss": "https://rsa.example"}
    async with client(plane, "") as anyone:
        refused(await exchange(anyone, subject(EC_KEY, "ES256", "ec", claims)), Denial.SUBJECT_ALGORITHM)
        refused(await exchange(anyone, subject(RSA_KEY, "PS256", "rsa", claims)), Denial.SUBJECT_ALGORITHM)
        assert (await exchange(anyone, subject(RSA_KEY, "RS256", "rsa", claims))).status_code == 200


async def test_keys_are_found_by_name_and_fit_their_algorithm(plane: ControlServices, client: Client) -> None:
    async with client(plane, "") as anyone:
        refused(await exchange(anyone, subject(OTHER_RSA, kid="other")), Denial.SUBJECT_KEY)
        refused(await exchange(anyone, subject(OTHER_RSA)), Denial.SUBJECT_SIGNATURE)
        refused(await exchange(anyone, subject(RSA_KEY, "RS256", "ec")), Denial.SUBJECT_KEY)
        assert (await exchange(anyone, subject(kid=None))).status_code == 200


async def test_known_keys_go_on_through_an_outage_and_unknown_ones_wait(
    plane: ControlServices, client: Client, issuer_keys: IssuerKeys
) -> None:
    await plane.trusted_keys.refresh()
    issuer_keys.is_down = True
    async with client(plane, "") as anyone:
        assert (await exchange(anyone, subject())).status_code == 200
    assert issuer_keys.fetches == 2  # one for each place


async def test_before_the_first_keys_came_nothing_is_exchanged(
    plane: ControlServices, client: Client, issuer_keys: IssuerKeys
) -> None:
    issuer_keys.is_down = True
    async with client(plane, "") as anyone:
        refused(await exchange(anyone, subject()), Denial.SUBJECT_KEYS_DOWN)


async def test_for_a_person_the_agent_proves_itself_beside(plane: ControlServices, client: Client, keys: Keys) -> None:
    person = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u-1", "group": "finance", "email": "ann@acme.example"}

    def proven(key: Any = AGENT_KEY, agent: str = "acme/emea/payer") -> dict[str, str]:
        text = assertion(agent, key, time.time(), jti=f"{time.time_ns()}")
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": text}

    async with client(plane, "") as anyone:
        refused(await exchange(anyone, subject(base=person)), Denial.PERSON)
        claims = claims_of(await exchange(anyone, subject(base=person), **proven()), keys)
        assert (claims["sub"], claims["on_behalf_of"]) == ("acme/emea/payer", "ann@acme.example")
        refused(await exchange(anyone, subject(base=person), **proven(THIEF_KEY)), Denial.ASSERTION_KEY)
        refused(await exchange(anyone, subject(), **proven()), Denial.AGENT)
        refused(await exchange(anyone, subject(base=person, email=None), **proven()), Denial.SUBJECT_NAME)


async def test_an_actor_stands_before_those_the_token_names(plane: ControlServices, client: Client, keys: Keys) -> None:
    worker = {"iss": ISSUER, "aud": AUDIENCE, "sub": "w", "group": "workloads", "workload": "planner"}
    chain: dict[str, Any] = {"sub": "first"}
    async with client(plane, "") as anyone:
        actor = {"actor_token": subject(base=worker), "actor_token_type": JWT}
        claims = claims_of(await exchange(anyone, subject(act=chain), **actor), keys)
        assert claims["act"] == {"sub": "acme/emea/planner", "act": {"sub": "first"}}
        refused(await exchange(anyone, subject(act=chain), **actor), Denial.SUBJECT_REPLAYED)
        itself = {"actor_token": subject(), "actor_token_type": JWT}
        refused(await exchange(anyone, subject(), **itself), Denial.ACTOR)
        for depth in range(4):
            chain = {"sub": f"a{depth}", "act": chain}
        full = {"actor_token": subject(base=worker), "actor_token_type": JWT}
        refused(await exchange(anyone, subject(act=chain), **full), Denial.ACTORS)
        refused(await exchange(anyone, subject(act={"sub": "a", "act": chain})), Denial.SUBJECT_FORM)


@pytest.mark.parametrize("target", ["acme/emea/planner", "acme/us/first", "acme/us"])
async def test_nothing_is_issued_where_a_revoked_agent_would_act(
    plane: ControlServices, client: Client, target: str
) -> None:
    worker = {"iss": ISSUER, "aud": AUDIENCE, "sub": "w", "group": "workloads", "workload": "planner"}
    with pytest.raises(StoreDown):  # Redis is not there, and the list is kept all the same
        await plane.revoker.revoke(Revoked.parse(target), "alice", "")
    async with client(plane, "") as anyone:
        actor = {"actor_token": subject(base=worker), "actor_token_type": JWT}
        refused(await exchange(anyone, subject(act={"sub": "acme/us/first"}), **actor), Denial.REVOKED)


@pytest.mark.parametrize(
    ("more", "denial"),
    [
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, Denial.SUBJECT_TYPE),
        ({"subject_token": "x.y.z"}, Denial.SUBJECT_FORM),
        ({"audience": "elsewhere"}, Denial.PARAMETER),
        ({"actor_token": "x.y.z"}, Denial.SUBJECT_TYPE),
    ],
)
async def test_another_form_is_refused(
    plane: ControlServices, client: Client, more: dict[str, str], denial: Denial
) -> None:
    async with client(plane, "") as anyone:
        refused(await exchange(anyone, subject(), **more), denial)


async def test_a_token_of_ours_is_exchanged_for_a_narrower_one_alone_and_a_proof_for_none(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "") as anyone:
        ours = (await exchange(anyone, subject())).json()["access_token"]
        refused(await exchange(anyone, ours), Denial.GRANT_MISSING)
        refused(await exchange(anyone, binding(POD_KEY, time.time())), Denial.SUBJECT_FORM)


async def test_a_token_lives_no_longer_than_the_one_it_was_exchanged_for(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "") as anyone:
        answer = await exchange(anyone, subject(exp=time.time() + 30))
    assert 28 < answer.json()["expires_in"] <= 30

"""Signing in at an OpenID provider: who is let in, as whom, with which roles, and every way in which that is refused."""

from __future__ import annotations

import base64
import hmac
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aegis_authz.adapters.jwks import HttpKeySets
from aegis_authz.adapters.openid import HttpOpenIdProvider, ProviderClient
from aegis_authz.adapters.system import SystemClock
from aegis_authz.config.control import ControlSettings
from aegis_authz.config.sign_in import OpenIdSettings, SignInSettings
from aegis_authz.control.app import ControlServices, create_app
from aegis_authz.control.people.appointing import NotAppointed
from aegis_authz.control.people.federation import ATTEMPT_LIFE, Attempt
from aegis_authz.core.units import Epoch
from aegis_authz.ports.people import Account
from aegis_authz.testing.people import MemoryPeople
from tests.support.openid import CLIENT, SECRET, Provider, provider
from tests.support.people import person

HELD = f"apr_{'a' * 34}"
BEGIN, CALLBACK = "/approvals/sign-in/oidc", "/approvals/sign-in/oidc/callback"
MAPPING = {
    "Finance": {"roles": ["approver@acme/emea"], "groups": ["finance"]},
    "Auditors": {"roles": ["auditor@acme"]},
}
ANN = {
    "sub": "u-1",
    "email": "Ann@acme.example",
    "email_verified": True,
    "name": "Ann Lee",
    "groups": ["Finance", "Auditors", "All"],
}
OTHER_KEY = rsa.generate_private_key(65537, 2048)


@pytest.fixture
def idp() -> Iterator[Provider]:
    with provider() as running:
        running.claims = dict(ANN)
        yield running


@pytest.fixture
def people() -> MemoryPeople:
    return MemoryPeople(for_tests=True)


Planes = Callable[..., ControlServices]
Browser = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def planes(
    new_plane: Planes, settings: ControlSettings, idp: Provider, people: MemoryPeople
) -> AsyncIterator[Planes]:
    """`planes(**of the settings of the provider)`: a control plane whose people sign in there."""
    sets = HttpKeySets()
    openid = HttpOpenIdProvider(ProviderClient(idp.issuer, CLIENT, "basic", SECRET), SystemClock())

    def plane(public_url: str = "http://127.0.0.1:7000", **terms: Any) -> ControlServices:
        usual = {"groups": MAPPING, "new_people": True, "label": "Acme", **terms}
        oidc = OpenIdSettings(issuer=idp.issuer, client_id=CLIENT, **usual)
        update = {"sign_in": SignInSettings(oidc=oidc), "public_url": public_url}
        return new_plane(settings=settings.model_copy(update=update), key_sets=sets, openid=openid, people=people)

    yield plane
    await openid.close()
    await sets.close()


@pytest.fixture
def browser() -> Browser:
    """A browser without a session."""

    def opened(plane: ControlServices, url: str = "http://127.0.0.1:7000") -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(plane)), base_url=url)

    return opened


async def signed_in(user: httpx.AsyncClient, idp: Provider, to: str = "") -> httpx.Response:
    """The answer to a browser that went to the provider and came back."""
    began = await user.get(BEGIN, params={"to": to} if to else {})
    assert began.status_code == 303, began.text
    return await user.get(idp.authorize(began.headers["location"]))


async def own(user: httpx.AsyncClient) -> tuple[str, list[str], list[str]]:
    answer = (await user.get("/v1/session")).json()["person"]
    return answer["id"], sorted(answer["roles"]), answer["groups"]


async def test_who_the_mapping_knows_is_let_in_with_what_it_says_and_no_more(
    planes: Planes, browser: Browser, idp: Provider, people: MemoryPeople
) -> None:
    async with browser(planes()) as user:
        answer = await signed_in(user, idp, HELD)
        assert answer.status_code == 200, answer.text
        assert f'content="0;url=/approvals/{HELD}"' in answer.text
        assert await own(user) == ("ann@acme.example", ["approver@acme/emea", "auditor@acme"], ["finance"])
    account = await people.account("ann@acme.example")
    assert (account.person.name, await people.password_hash("ann@acme.example")) == ("Ann Lee", "")
    assert await people.addresses("oidc") == {"ann@acme.example": f"{idp.issuer} u-1"}
    lines = [(line.act.person, line.act.action) for line in await people.lines(0, 9)]
    assert lines == [("control", "people:add"), ("control", "people:appoint"), ("ann@acme.example", "sessions:open")]


async def test_who_left_a_group_has_its_role_no_more_from_the_next_signing_in_on(
    planes: Planes, browser: Browser, idp: Provider, people: MemoryPeople
) -> None:
    plane = planes()
    async with browser(plane) as before, browser(plane) as user:
        await signed_in(before, idp)
        idp.claims["groups"] = ["Auditors"]
        await signed_in(user, idp)
        expected = ("ann@acme.example", ["auditor@acme"], [])
        assert (await own(user), await own(before)) == (expected, expected)
        idp.claims["groups"] = []
        answer = await signed_in(user, idp)
        assert (answer.status_code, "none of your groups has a role here" in answer.text) == (403, True)
        assert (await people.account("ann@acme.example")).person.roles == ()
        assert (await before.get("/v1/session")).status_code == 403


async def test_whose_groups_are_not_mapped_leaves_no_trace(
    planes: Planes, browser: Browser, idp: Provider, people: MemoryPeople
) -> None:
    idp.claims["groups"] = ["finance", "owner"]  # neither another spelling nor the name of a role
    async with browser(planes()) as user:
        answer = await signed_in(user, idp)
        assert (answer.status_code, f"{idp.issuer} u-1" in answer.text) == (403, True)
        assert (await user.get("/v1/session")).status_code == 401
    assert (await people.accounts(), await people.lines(0, 9)) == ([], [])


async def test_nobody_is_let_in_who_was_not_linked_where_the_settings_want_that(
    planes: Planes, browser: Browser, idp: Provider, people: MemoryPeople
) -> None:
    await people.add(Account(person("ann", "owner", groups=("ops",)), is_disabled=False, created=Epoch(1.0)))
    async with browser(planes(new_people=False, groups={})) as user:
        assert (await signed_in(user, idp)).status_code == 403
        await people.link("ann", "oidc", f"{idp.issuer} u-1")
        assert (await signed_in(user, idp)).status_code == 200
        assert await own(user) == ("ann", ["owner"], ["ops"])  # without a mapping, people are what owners made them


async def test_whoever_may_choose_a_name_at_the_provider_becomes_nobody_who_is_here_already(
    planes: Planes, browser: Browser, idp: Provider, people: MemoryPeople
) -> None:
    await people.add(Account(person("ann@acme.example", "owner"), is_disabled=False, created=Epoch(1.0)))
    async with browser(planes()) as user:
        answer = await signed_in(user, idp)
        assert (answer.status_code, "who is not yet" in answer.text) == (403, True)
    assert [str(role) for role in (await people.account("ann@acme.example")).person.roles] == ["owner"]


async def test_the_owner_of_a_tenant_gets_nobodys_roles_by_linking_them_to_an_account_of_theirs(
    planes: Planes, browser: Browser, idp: Provider, people: MemoryPeople
) -> None:
    """Whoever made the account can have set its password, too."""
    plane = planes(groups={"Finance": {"roles": ["owner"]}})
    appointer, tia = plane.people.appointer, person("tia", "owner@acme/emea")
    await appointer.add(tia, person("trap", "viewer@acme/emea"), "")
    await appointer.link(tia, "trap", "oidc", f"{idp.issuer} u-1", "")
    async with browser(plane) as user:
        answer = await signed_in(user, idp)
        assert (answer.status_code, "confirms you" in answer.text) == (403, True)
        assert [str(role) for role in (await people.account("trap")).person.roles] == ["viewer@acme/emea"]
        await appointer.confirm(person("root", "owner"), "trap", "")
        assert (await signed_in(user, idp)).status_code == 200


async def test_two_owners_of_a_tenant_get_nobodys_roles_by_one_confirming_whom_the_other_linked(
    planes: Planes, browser: Browser, idp: Provider, people: MemoryPeople
) -> None:
    plane = planes(groups={"Finance": {"roles": ["owner"]}})
    appointer, tia, tom = plane.people.appointer, person("tia", "owner@acme/emea"), person("tom", "owner@acme/emea")
    await appointer.add(tia, person("trap", "viewer@acme/emea"), "")
    await appointer.link(tia, "trap", "oidc", f"{idp.issuer} u-1", "")
    with pytest.raises(NotAppointed, match="an owner of the whole mesh confirms them"):
        await appointer.confirm(tom, "trap", "")
    async with browser(plane) as user:
        assert (await signed_in(user, idp)).status_code == 403


async def test_the_owner_of_a_tenant_gets_nobodys_roles_by_linking_themselves_to_an_account_of_theirs(
    planes: Planes, browser: Browser, idp: Provider, people: MemoryPeople
) -> None:
    """Their own account is one whose password they have, too."""
    plane = planes(groups={"Finance": {"roles": ["owner"]}})
    appointer, tia = plane.people.appointer, person("tia", "owner@acme/emea")
    await appointer.add(person("root", "owner"), tia, "")
    await appointer.link(tia, "tia", "oidc", f"{idp.issuer} u-1", "")
    async with browser(plane) as user:
        answer = await signed_in(user, idp)
        assert (answer.status_code, "confirms you" in answer.text) == (403, True)
        assert [str(role) for role in (await people.account("tia")).person.roles] == ["owner@acme/emea"]
        await appointer.confirm(person("root", "owner"), "tia", "")
        assert (await signed_in(user, idp)).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"email": None},
        {"email": "ann lee"},
        {"email": "\u212aate@acme.example"},  # KELVIN SIGN: its small letter is k
        {"email": "control"},
        {"email": "bootstrap-owner"},
        {"groups": "Finance"},
        {"groups": ["Finance", 1]},
        {"groups": {"Finance": True}},
        {"sub": ""},
        {"sub": "u 1\n"},
        {"sub": 7},
    ],
    ids=str,
)
async def test_claims_that_do_not_name_a_person_make_none(
    planes: Planes, browser: Browser, idp: Provider, people: MemoryPeople, claims: dict[str, Any]
) -> None:
    idp.claims |= claims
    async with browser(planes()) as user:
        assert (await signed_in(user, idp)).status_code == 403
    assert await people.accounts() == []


async def test_an_address_that_nobody_verified_is_no_name_however_the_settings_point_at_it(
    planes: Planes, browser: Browser, idp: Provider, people: MemoryPeople
) -> None:
    idp.claims["email_verified"] = False
    async with browser(planes(person_claim="/email")) as user:
        assert (await signed_in(user, idp)).status_code == 403
        assert await people.accounts() == []
        idp.claims["email_verified"] = True
        assert (await signed_in(user, idp)).status_code == 200


async def test_who_is_disabled_here_is_refused_and_that_is_on_record(
    planes: Planes, browser: Browser, idp: Provider, people: MemoryPeople
) -> None:
    async with browser(planes()) as user:
        await signed_in(user, idp)
        account = await people.account("ann@acme.example")
        await people.replace(Account(account.person, is_disabled=True, created=account.created))
        answer = await signed_in(user, idp)
        assert (answer.status_code, "disabled" in answer.text) == (403, True)
    assert (await people.lines(0, 9))[-1].act.action == "sessions:refuse"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": ["aegis", "another"]},
        {"aud": ["aegis", "another"], "azp": "another"},
        {"azp": "another"},
        {"iss": "https://evil.example"},
        {"nonce": "0" * 64},
        {"nonce": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": 4_000_000_000, "exp": 4_000_000_100},
        {"iat": None},
        {"exp": 4_000_000_000},
        {"nbf": 4_000_000_000},
    ],
    ids=str,
)
async def test_a_token_for_somebody_else_or_another_time_is_refused(
    planes: Planes, browser: Browser, idp: Provider, people: MemoryPeople, claims: dict[str, Any]
) -> None:
    idp.claims |= claims
    async with browser(planes()) as user:
        answer = await signed_in(user, idp)
        assert (answer.status_code, "did not prove who you are" in answer.text) == (403, True)
    assert await people.accounts() == []


def _unsigned(claims: dict[str, Any], _: rsa.RSAPrivateKey) -> str:
    return jwt.encode(claims, None, "none", {"kid": "now"})


def _with_a_mac_by_the_public_key(claims: dict[str, Any], key: rsa.RSAPrivateKey) -> str:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, payload, _ = jwt.encode(claims, "x" * 32, "HS256", {"kid": "now"}).split(".")
    mac = hmac.digest(pem, f"{head}.{payload}".encode("ascii"), "sha256")
    return f"{head}.{payload}.{base64.urlsafe_b64encode(mac).decode('ascii').rstrip('=')}"


def _by_another_key(claims: dict[str, Any], _: rsa.RSAPrivateKey) -> str:
    return jwt.encode(claims, OTHER_KEY, "RS256", {"kid": "now"})


def _by_another_algorithm(claims: dict[str, Any], key: rsa.RSAPrivateKey) -> str:
    return jwt.encode(claims, key, "PS256", {"kid": "now"})


def _of_another_kind(claims: dict[str, Any], key: rsa.RSAPrivateKey) -> str:
    return jwt.encode(claims, key, "RS256", {"kid": "now", "typ": "at+jwt"})


def _for_another_key_of_its_own(claims: dict[str, Any], key: rsa.RSAPrivateKey) -> str:
    return jwt.encode(claims, key, "RS256", {"kid": "then"})


@pytest.mark.parametrize(
    "sign",
    [
        _unsigned,
        _with_a_mac_by_the_public_key,
        _by_another_key,
        _by_another_algorithm,
        _of_another_kind,
        _for_another_key_of_its_own,
    ],
)
async def test_a_token_that_is_not_signed_as_the_settings_say_is_refused(
    planes: Planes,
    browser: Browser,
    idp: Provider,
    people: MemoryPeople,
    sign: Callable[[dict[str, Any], rsa.RSAPrivateKey], str],
) -> None:
    idp.sign = lambda claims: sign(claims, idp.key)
    async with browser(planes()) as user:
        answer = await signed_in(user, idp)
        assert (answer.status_code, "did not prove who you are" in answer.text) == (403, True)
    assert await people.accounts() == []


async def test_an_answer_is_taken_in_the_browser_that_asked_and_once(
    planes: Planes, browser: Browser, idp: Provider, people: MemoryPeople
) -> None:
    plane = planes()
    async with browser(plane) as eve, browser(plane) as ann:
        hers = idp.authorize((await eve.get(BEGIN)).headers["location"])
        # eve lures ann to an answer that would sign ann in as eve
        assert (await ann.get(hers)).status_code == 403
        await ann.get(BEGIN)
        assert (await ann.get(hers)).status_code == 403
        assert (await ann.get("/v1/session")).status_code == 401
        cookie = dict(eve.cookies)
        assert (await eve.get(hers)).status_code == 200
        assert "aegis-attempt" not in eve.cookies
        assert (await eve.get(hers)).status_code == 403
        eve.cookies.update(cookie)
        assert (await eve.get(hers)).status_code == 403  # the provider takes a code once
    assert len(await people.accounts()) == 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda url: url.replace("&iss=", "&x="), 403),
        (lambda url: re.sub("&iss=.*", "&iss=https://evil.example", url), 403),
        (lambda url: url.replace("?code=", "?error=access_denied&error_description=<b>hi</b>&x="), 403),
        (lambda url: url.replace("?code=code-0", "?code="), 403),
        (lambda url: url.replace("?code=code-0", f"?code={'c' * 5000}"), 403),
        (lambda url: url.replace("&state=", "&state=0"), 403),
        (lambda url: url.replace("&state=", "&state=\u00e9"), 403),
        (lambda url: re.sub("&state=[0-9a-f]+", "", url), 403),
        (lambda url: f"{url}&code=code-1", 400),
        (lambda url: f"{url}&state=1", 400),
    ],
)
async def test_an_answer_that_is_not_as_it_must_be_is_refused_and_repeated_nowhere(
    planes: Planes, browser: Browser, idp: Provider, change: Callable[[str], str], status: int
) -> None:
    async with browser(planes()) as user:
        began = await user.get(BEGIN)
        answer = await user.get(change(idp.authorize(began.headers["location"])))
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("text/html")
        assert not any(word in answer.text for word in ("hi</", "evil", "code-"))
        assert (await user.get("/v1/session")).status_code == 401
    assert "/token" not in idp.asked


async def test_where_one_goes_on_to_is_an_approval_here_or_the_list(
    planes: Planes, browser: Browser, idp: Provider
) -> None:
    async with browser(planes()) as user:
        for to in ("//evil.example", "https://evil.example", "/approvals", f"{HELD}/x"):
            assert (await user.get(BEGIN, params={"to": to})).status_code == 400
        began = await user.get(BEGIN, headers={"host": "evil.example", "x-forwarded-host": "evil.example"})
        question = parse_qs(urlsplit(began.headers["location"]).query)
        assert question["redirect_uri"] == [f"http://127.0.0.1:7000{CALLBACK}"]
        secret, begun, _ = user.cookies["aegis-attempt"].split(".")
        user.cookies.set("aegis-attempt", f"{secret}.{begun}.//evil.example", domain="127.0.0.1")
        answer = await user.get(idp.authorize(began.headers["location"]))
        assert (answer.status_code, "evil" in answer.text) == (403, False)


def test_what_is_sent_tells_nothing_that_is_not_sent() -> None:
    attempt = Attempt("ab" * 32, 1000, HELD)
    assert Attempt.parse(attempt.cookie) == attempt
    parts = [attempt.secret, *(attempt.derived(purpose) for purpose in ("state", "nonce", "verifier"))]
    assert len(set(parts)) == 4
    assert attempt.secret not in repr(attempt)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", attempt.challenge)
    for text in (
        "",
        "a.b.c",
        f"{attempt.cookie}x",
        f"{attempt.secret}.1",
        f"{attempt.secret}.-1.",
        "\u0661" * 64 + ".1.",
    ):
        assert Attempt.parse(text) is None


async def test_a_sign_in_that_took_too_long_begins_again(planes: Planes, browser: Browser, idp: Provider) -> None:
    async with browser(planes()) as user:
        began = await user.get(BEGIN)
        secret, begun, _ = user.cookies["aegis-attempt"].split(".")
        late = Attempt(secret, int(begun) - int(ATTEMPT_LIFE) - 1, "")
        user.cookies.set("aegis-attempt", late.cookie, domain="127.0.0.1")
        back = idp.authorize(began.headers["location"])
        answer = await user.get(re.sub("state=[0-9a-f]+", f"state={late.derived('state')}", back))
        assert (answer.status_code, "begin again" in answer.text) == (403, True)


async def test_groups_that_only_userinfo_tells_count_if_they_are_of_the_same_person(
    planes: Planes, browser: Browser, idp: Provider
) -> None:
    del idp.claims["groups"]
    idp.userinfo = {"sub": "u-2", "groups": ["Finance"], "email": "eve@acme.example"}
    async with browser(planes()) as user:
        assert (await signed_in(user, idp)).status_code == 403
        idp.userinfo["sub"] = "u-1"
        assert (await signed_in(user, idp)).status_code == 200
        assert await own(user) == ("ann@acme.example", ["approver@acme/emea"], ["finance"])  # the token goes first


async def test_a_provider_that_cannot_be_asked_signs_nobody_in_and_no_secret_is_told(
    planes: Planes, browser: Browser, idp: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="aegis_authz")
    async with browser(planes()) as user:
        began = await user.get(BEGIN)
        idp.is_down = True
        answer = await user.get(idp.authorize(began.headers["location"]))
        assert (answer.status_code, "cannot be asked now" in answer.text) == (503, True)
        idp.is_down = False
        assert (await signed_in(user, idp)).status_code == 200
        told = caplog.text + answer.text
    assert not any(word in told for word in (SECRET, "code-0", "opaque"))


async def test_a_client_that_the_provider_does_not_know_says_so_in_the_log_and_no_secret(
    planes: Planes, browser: Browser, idp: Provider, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.openid.SECRET", "another")
    async with browser(planes()) as user:
        assert (await signed_in(user, idp)).status_code == 403
    assert "invalid_client" in caplog.text
    assert SECRET not in caplog.text


async def test_whoever_signs_out_is_out_here_and_is_led_to_the_provider(
    planes: Planes, browser: Browser, idp: Provider
) -> None:
    async with browser(planes()) as user:
        await signed_in(user, idp)
        assert "<form" in (await user.get("/approvals/sign-out")).text
        elsewhere = await user.post("/approvals/sign-out", headers={"origin": "https://evil.example"})
        assert (elsewhere.status_code, (await user.get("/v1/session")).status_code) == (403, 200)
        kept = dict(user.cookies)
        answer = await user.post("/approvals/sign-out", headers={"origin": "http://127.0.0.1:7000"})
        assert f'href="{idp.issuer}/end?client_id=aegis&amp;post_logout_redirect_uri=http%3A%2F%2F127' in answer.text
        user.cookies.update(kept)
        assert (await user.get("/v1/session")).status_code == 401


async def test_whoever_signs_out_is_out_and_told_so_while_the_provider_cannot_be_asked(
    planes: Planes, browser: Browser, idp: Provider, people: MemoryPeople
) -> None:
    plane, idp.is_down = planes(), True  # before it said where it signs people out
    await people.add(Account(person("ann", "viewer"), is_disabled=False, created=Epoch(1.0)))
    opened = await plane.people.door.sign_in.open_session(person("ann", "viewer"), "127.0.0.1")
    async with browser(plane) as user:
        user.cookies.set("aegis-session", opened.secret, domain="127.0.0.1")
        answer = await user.post("/approvals/sign-out", headers={"origin": "http://127.0.0.1:7000"})
        assert (answer.status_code, "Signed out" in answer.text) == (200, True)
        assert "aegis-session" not in user.cookies
    assert await plane.people.door.sign_in.by_session(opened.secret) is None


async def test_over_tls_the_cookies_are_secure_and_of_this_host_alone(planes: Planes, browser: Browser) -> None:
    url = "https://aegis.acme.example"
    async with browser(planes(public_url=url), url) as user:
        began = await user.get(BEGIN)
    cookie = began.headers["set-cookie"]
    assert cookie.startswith("__Host-aegis-attempt=")
    assert all(word in cookie for word in ("; HttpOnly", "; Path=/", "; SameSite=lax", "; Secure", "; Max-Age=600"))
    assert "domain" not in cookie.lower()


async def test_who_comes_back_without_end_is_slowed(planes: Planes, browser: Browser) -> None:
    async with browser(planes()) as user:
        answers = [await user.get(CALLBACK) for _ in range(25)]
    assert "too many tries from here" in answers[-1].text
    assert {answer.status_code for answer in answers} == {403}


async def test_the_page_leads_to_the_provider_only_where_there_is_one(
    planes: Planes, browser: Browser, plane: ControlServices
) -> None:
    async with browser(planes()) as user:
        page = (await user.get("/approvals/sign-in", params={"to": HELD})).text
        assert f'<a href="{BEGIN}?to={HELD}">Sign in at Acme</a>' in page
    async with browser(plane) as user:
        assert "oidc" not in (await user.get("/approvals/sign-in")).text
        assert (await user.get(BEGIN)).status_code == 404


def test_a_mapping_names_roles_and_groups_that_can_be() -> None:
    for terms in (
        {"groups": {"x": {"roles": ["king"]}}},
        {"groups": {"x": {"roles": []}}},
        {"groups": {"x": {"roles": ["owner"], "groups": ["A B"]}}},
        {"new_people": True},
        {"scopes": ["email"]},
        {"algorithms": ["HS256"]},
        {"algorithms": []},
        {"issuer": "http://idp.acme.example"},
    ):
        with pytest.raises(ValueError, match="validation error"):
            OpenIdSettings(**{"issuer": "https://idp.acme.example", "client_id": "x", **terms})

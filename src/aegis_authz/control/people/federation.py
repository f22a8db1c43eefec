"""Signing in at an OpenID provider: authorization code flow with PKCE, begun and completed in one browser.

Sources: OpenID Connect Core 1.0 section 3.1, RFC 6749 section 4.1, RFC 7636, RFC 9207, RFC 9700.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode, urlsplit

from aegis_authz.control.keys.trusted_keys import TrustedKeys
from aegis_authz.control.people.appointing import domain_of
from aegis_authz.control.people.signing_in import OpenedSession, PeopleStores, SignIn
from aegis_authz.control.throttle import Throttle
from aegis_authz.core.address import network_of
from aegis_authz.core.change_line import Act
from aegis_authz.core.json_value import Json
from aegis_authz.core.person import Person
from aegis_authz.core.trusted_issuer import TrustedIssuer, claim_of
from aegis_authz.core.units import Seconds
from aegis_authz.identity.id_token import IdTokenRefused, read_id_token, verified_identity
from aegis_authz.identity.issuance import Denial, NotIssued
from aegis_authz.people.federation import Membership, Profile, ProfileUnusable, membership_of, profile_of
from aegis_authz.people.permissions import CONTROL, RESERVED_IDS
from aegis_authz.people.secrets import challenge_of
from aegis_authz.ports.data_plane import Clock, Ids
from aegis_authz.ports.openid import OPENID, OpenIdProvider, ProviderRefused, ProviderUnavailable
from aegis_authz.ports.people import Account, PersonConflict, PersonUnknown

_log = logging.getLogger(__name__)

ATTEMPT_LIFE = Seconds(600.0)
_COOKIE = re.compile(r"([0-9a-f]{64})\.([0-9]{1,12})\.((?:apr_[0-9a-f]{34})?)\Z")
_MOST_ADDRESS = 256
_MOST_CODE = 4096
_RATE, _BURST = 1.0, 20
_NOT_PROVEN = "your provider did not prove who you are; the log of the control plane says more"


class NotAdmitted(Exception):
    """Who signed in elsewhere is not let in here; the message is fit to show to that person."""


@dataclass(frozen=True, slots=True)
class FederationTerms:
    """At whom people sign in, and what that makes them.

    `issuer` says whose ID tokens are taken, for which client. With `mapping` the groups of the provider say each time
    what a person is here, and whoever is in none of them is nobody; without it people are what owners made them.
    `admits_new` lets in whom the mapping knows and nobody has added. `redirect_uri` and
    `signed_out_uri` are pages of ours; `label` is what they call the provider.
    """

    issuer: TrustedIssuer
    redirect_uri: str
    signed_out_uri: str
    scopes: tuple[str, ...]
    person_claim: str
    groups_claim: str
    mapping: Mapping[str, Membership]
    admits_new: bool
    label: str
    clock_skew: Seconds


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to sign in, by the secret that its browser keeps in a cookie: what is sent to the provider is made of it.

    `begun` is in whole seconds of the epoch; `to` is the approval to go on to, "" for the list.
    """

    secret: str = field(repr=False)
    begun: int
    to: str

    @staticmethod
    def parse(text: str) -> Attempt | None:
        """Read a cookie, None for one that is none."""
        match = _COOKIE.match(text)
        return None if match is None else Attempt(match[1], int(match[2]), match[3])

    @property
    def cookie(self) -> str:
        """What the browser keeps."""
        return f"{self.secret}.{self.begun}.{self.to}"

    def derived(self, purpose: str) -> str:
        """A secret of its own for `state`, `nonce` and the verifier, 256 bits in hex. None tells another, or ours."""
        text = f"{purpose} {self.begun} {self.to}"
        return hmac.new(self.secret.encode("ascii"), text.encode("utf-8"), hashlib.sha256).hexdigest()

    @property
    def challenge(self) -> str:
        """S256 of the verifier (RFC 7636 section 4.2)."""
        return challenge_of(self.derived("verifier"))


class FederatedSignIn:
    """Signs people in by what their provider says. Methods may raise DatabaseFault, and ProviderUnavailable."""

    def __init__(
        self,
        terms: FederationTerms,
        provider: OpenIdProvider,
        keys: TrustedKeys,
        stores: PeopleStores,
        sign_in: SignIn,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self.terms = terms
        self._provider = provider
        self._keys = keys
        self._stores = stores
        self._sign_in = sign_in
        self._clock = clock
        self._ids = ids
        self._sources = Throttle(_RATE, _BURST)

    async def begin(self, to: str) -> tuple[str, Attempt]:
        """Where the browser is sent, and what it must keep meanwhile."""
        places = await self._provider.places()
        attempt = Attempt(self._ids.token() + self._ids.token(), int(self._clock.now()), to)
        question = {
            "response_type": "code",
            "client_id": self.terms.issuer.audience,
            "redirect_uri": self.terms.redirect_uri,
            "scope": " ".join(self.terms.scopes),
            "state": attempt.derived("state"),
            "nonce": attempt.derived("nonce"),
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        return _extended(places.authorization, question), attempt

    async def end_at_provider(self) -> str:
        """Where the provider signs a person out (OpenID Connect RP-Initiated Logout 1.0), "" where nobody knows."""
        try:
            place = (await self._provider.places()).end_session
        except ProviderUnavailable as fault:  # who signed out is out here, and must not be told otherwise
            _log.warning("who signs out is not led to the provider: %s", fault)
            return ""
        question = {"client_id": self.terms.issuer.audience, "post_logout_redirect_uri": self.terms.signed_out_uri}
        return _extended(place, question) if place else ""

    async def complete(self, attempt: Attempt | None, answer: Mapping[str, str], source: str) -> OpenedSession:
        """Open a session for what the provider answered to the browser that keeps this attempt.

        Raises NotAdmitted.
        """
        now = self._clock.now()
        if not self._sources.admits(network_of(source), self._clock.monotonic()):
            raise NotAdmitted("too many tries from here: wait a moment, and sign in again")
        if attempt is None or not attempt.begun <= now < attempt.begun + ATTEMPT_LIFE:
            raise NotAdmitted("this sign-in was not begun in this browser, or too long ago: begin again")
        if not hmac.compare_digest(answer.get("state", "").encode("utf-8"), attempt.derived("state").encode("ascii")):
            raise NotAdmitted("this answer is of another sign-in than the last one begun in this browser: begin again")
        try:
            claims = await self._claims(attempt, answer)
            profile = profile_of(claims, self.terms.person_claim, self.terms.groups_claim)
        except (ProviderRefused, IdTokenRefused, ProfileUnusable) as refusal:
            _log.warning("signing in at %s from %s failed: %s", self.terms.issuer.issuer, source, refusal)
            raise NotAdmitted(_NOT_PROVEN) from None
        except NotIssued as refusal:
            if refusal.denial is Denial.SUBJECT_KEYS_DOWN:
                raise ProviderUnavailable(refusal.denial.description) from None
            words = f"ID token: {refusal.denial.name.lower()}"
            _log.warning("signing in at %s from %s failed: %s", self.terms.issuer.issuer, source, words)
            raise NotAdmitted(_NOT_PROVEN) from None
        person = await self._person(profile, source)
        return await self._sign_in.open_session(person, source)

    async def _claims(self, attempt: Attempt, answer: Mapping[str, str]) -> Mapping[str, Json]:
        """What the provider says of the person, verified. Raises what `complete` catches."""
        issuer = self.terms.issuer
        places = await self._provider.places()
        by = answer.get("iss")
        if (by is None and places.names_itself) or by not in (None, issuer.issuer):
            raise ProviderRefused("the answer is of another issuer")
        code = answer.get("code", "")
        if "error" in answer or not 0 < len(code) <= _MOST_CODE:
            raise ProviderRefused("the answer bears no code")
        tokens = await self._provider.redeem(code, attempt.derived("verifier"), self.terms.redirect_uri)
        token = read_id_token(tokens.id_token, issuer)
        keys = await self._keys.of(issuer, token.kid)
        claims = verified_identity(token, keys, attempt.derived("nonce"), self._clock.now(), self.terms.clock_skew)
        wanted = (self.terms.person_claim, self.terms.groups_claim)
        if places.userinfo and any(claim_of(claims, name) is None for name in wanted):
            more = await self._provider.userinfo(tokens.access_token)
            if more.get("sub") != claims.get("sub"):  # OpenID Connect Core 1.0, section 5.3.4
                raise ProviderRefused("userinfo is of another person")
            return {**more, **claims}
        return claims

    async def _person(self, profile: Profile, source: str) -> Person:
        """Who that is here, as their groups make them now. Raises NotAdmitted."""
        terms, address = self.terms, f"{self.terms.issuer.issuer} {profile.subject}"
        if len(address) > _MOST_ADDRESS:
            raise NotAdmitted("your provider's name for you is too long to be kept here")
        membership = membership_of(profile, terms.mapping)
        refusal = ""
        async with self._stores.transactions.transaction():
            account = await self._account(profile, membership, address)
            if account.is_disabled:
                await self._write(account.person.id, "sessions:refuse", account.person, f"from {source}, by {OPENID}")
                refusal = "your account here is disabled"
            elif terms.mapping and account.person.id in await self._stores.people.sponsors():
                # who gave this account a password or this very link would get what the mapping says as well
                refusal = "the owner of a part let you in: an owner of the mesh confirms you (aegis people confirm)"
            elif terms.mapping:
                account = await self._matched(account, membership)
                refusal = "" if membership.roles else "none of your groups has a role here"
        if refusal:  # after what became of the roles is kept
            raise NotAdmitted(refusal)
        return account.person

    async def _account(self, profile: Profile, membership: Membership, address: str) -> Account:
        try:
            return await self._stores.people.at_address(OPENID, address)
        except PersonUnknown:
            return await self._new_account(profile, membership, address)

    async def _new_account(self, profile: Profile, membership: Membership, address: str) -> Account:
        people = self._stores.people
        if not self.terms.admits_new or not membership.roles:
            raise NotAdmitted(f"nobody here is known as {address!r}: an owner lets you in (aegis people link)")
        if not profile.person_id or profile.person_id in RESERVED_IDS:
            raise NotAdmitted("your provider says no name that can be yours here: an owner adds you (aegis people add)")
        name = profile.name or profile.person_id
        person = Person(profile.person_id, name, frozenset(), ())
        account = Account(person, is_disabled=False, created=self._clock.now())
        try:
            await people.add(account)
        except PersonConflict:
            # whoever may choose a name at the provider must not become somebody of that name
            raise NotAdmitted(
                f"there is a {profile.person_id} here who is not yet {address!r}: an owner says so (aegis people link)"
            ) from None
        await people.link(profile.person_id, OPENID, address)
        await self._write(CONTROL, "people:add", person, f"{OPENID}:{address}")
        return account

    async def _matched(self, account: Account, membership: Membership) -> Account:
        """The account with what the mapping says, and nothing besides."""
        person = replace(account.person, roles=membership.roles, groups=membership.groups)
        if set(person.roles) == set(account.person.roles) and person.groups == account.person.groups:
            return account
        account = replace(account, person=person)
        await self._stores.people.replace(account)
        words = ", ".join(map(str, person.roles)) or "no role"
        groups = f" in {', '.join(sorted(person.groups))}" if person.groups else ""
        await self._write(CONTROL, "people:appoint", person, f"{words}{groups}: by the groups of {OPENID}")
        return account

    async def _write(self, by: str, action: str, person: Person, reason: str) -> None:
        await self._stores.changes.append(Act(self._clock.now(), by, action, person.id, domain_of(person), reason))


def _extended(url: str, question: Mapping[str, str]) -> str:
    """The URL with these parameters after its own."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(question)}"

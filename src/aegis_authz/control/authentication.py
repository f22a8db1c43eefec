"""Who sends a request: the holder of the admin token, the bearer of an API key, or whoever is in a session."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from aegis_authz.control.client_certificates import client_certificate
from aegis_authz.control.gate import SAFE_METHODS, AdminTokenHolder, Proven
from aegis_authz.control.http import HttpProblem, bearer_of
from aegis_authz.control.people.signing_in import OpenedSession, SignIn
from aegis_authz.core.change_line import Act
from aegis_authz.core.person import Person
from aegis_authz.ports.change_log import ChangeLog
from aegis_authz.ports.data_plane import Clock


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """The cookie of sessions: never shown to scripts nor sent from other sites, and over TLS alone where there is."""

    name: str
    is_secure: bool

    @staticmethod
    def of(public_url: str) -> SessionCookie:
        """That of a control plane that is reached by this URL."""
        is_secure = public_url.startswith("https://")
        # by the prefix a browser knows that no other host and no clear connection has set it
        return SessionCookie("__Host-aegis-session" if is_secure else "aegis-session", is_secure)

    def of_attempt(self) -> AttemptCookie:
        """That of who is at a provider to sign in, beside this one."""
        return AttemptCookie("__Host-aegis-attempt" if self.is_secure else "aegis-attempt", self.is_secure)

    def put(self, response: Response, opened: OpenedSession, now: float) -> None:
        """Have the browser keep it until the session is over."""
        life = max(0, int(opened.expires - now))
        response.set_cookie(
            self.name, opened.secret, life, path="/", secure=self.is_secure, httponly=True, samesite="strict"
        )

    def drop(self, response: Response) -> None:
        """Have the browser forget it."""
        response.delete_cookie(self.name, path="/", secure=self.is_secure, httponly=True, samesite="strict")

    def secret(self, request: Request) -> str:
        """The secret that the request shows, "" for none."""
        return request.cookies.get(self.name, "")


@dataclass(frozen=True, slots=True)
class AttemptCookie:
    """The cookie of who was sent to a provider to sign in: back from there a strict one would not be shown."""

    name: str
    is_secure: bool

    def put(self, response: Response, text: str, life: int) -> None:
        """Have the browser keep it for so many seconds."""
        response.set_cookie(self.name, text, life, path="/", secure=self.is_secure, httponly=True, samesite="lax")

    def drop(self, response: Response) -> None:
        """Have the browser forget it."""
        response.delete_cookie(self.name, path="/", secure=self.is_secure, httponly=True, samesite="lax")

    def text(self, request: Request) -> str:
        """What the request shows, "" for nothing."""
        return request.cookies.get(self.name, "")


class PeopleAuthentication:
    """Tells people by their one proof: an `Authorization` is the only one looked at where there is one.

    A client certificate that is a person's is a proof by itself, and goes with no proof of anybody else: neither that
    of another person nor one that is worth nothing.
    """

    def __init__(
        self, admin: AdminTokenHolder, sign_in: SignIn, cookie: SessionCookie, changes: ChangeLog, clock: Clock
    ) -> None:
        self._admin = admin
        self._changes = changes
        self._clock = clock
        self._sign_in = sign_in
        self._cookie = cookie

    async def proven(self, request: Request) -> Proven | None:
        """Who sends it, None when nothing proves it. Raises HttpProblem, NotSignedIn, DatabaseFault."""
        certificate = client_certificate(request)
        if certificate is None:
            return await self._by_request(request)
        holder, person = await self._sign_in.by_certificate(certificate.names)
        if not holder:
            return await self._by_request(request)
        if "authorization" in request.headers or self._cookie.secret(request):
            proven = await self._by_request(request)
            if proven is not None and proven.person.id != holder:
                raise HttpProblem(403, "the certificate of the connection and what the request bears are of two people")
            return proven if person is not None else None
        if request.method not in SAFE_METHODS and _is_of_another_site(request):
            # a browser shows the certificate by itself, for pages of others as well
            raise HttpProblem(403, "a change by a certificate alone is not taken from another site")
        return None if person is None else Proven(person, "")

    async def _by_request(self, request: Request) -> Proven | None:
        if "authorization" in request.headers:
            holder = await self._admin.proven(request)
            if holder is not None:
                return holder
            person = await self._sign_in.by_key(bearer_of(request).decode("utf-8", "replace"))
            return None if person is None else Proven(person, "")
        secret = self._cookie.secret(request)
        person = await self._sign_in.by_session(secret) if secret else None
        return None if person is None else Proven(person, secret)

    async def note(self, person: Person, action: str, subject: str, domain: str, reason: str) -> None:
        """Write what the person does to the change log. Raises DatabaseFault."""
        await self._changes.append(Act(self._clock.now(), person.id, action, subject, domain, reason))


def _is_of_another_site(request: Request) -> bool:
    """Whether a browser says that a page of another origin sends it (Fetch Metadata; RFC 6454 section 7)."""
    sites = request.headers.getlist("sec-fetch-site")
    hosts = [urlsplit(origin).netloc for origin in request.headers.getlist("origin")]
    own = request.headers.get("host", "")
    return any(site not in ("same-origin", "none") for site in sites) or any(host != own for host in hosts)

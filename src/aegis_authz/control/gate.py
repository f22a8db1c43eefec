"""Who enters: every route names its permission, and everyone who asks is a person who proved it."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, params
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from aegis_authz.control.acts import NOT_DONE, UNKNOWN, done_or_noted
from aegis_authz.control.http import SMALL_BODY_BYTES, HttpProblem, StrictRequest, bearer_of
from aegis_authz.core.change_line import MOST_NOTE
from aegis_authz.core.person import WHOLE_MESH, Domain, Person
from aegis_authz.core.scope import Scope
from aegis_authz.people.permissions import BOOTSTRAP_OWNER, Permission, domains_of, may, may_somewhere
from aegis_authz.people.secrets import csrf_token, is_csrf_token
from aegis_authz.policy.source.problems import printable
from aegis_authz.ports.database import DatabaseFault

_log = logging.getLogger(__name__)
_BEARER = HTTPBearer(scheme_name="person", auto_error=False)
SAFE_METHODS = ("GET", "HEAD")
CSRF_HEADER = "x-csrf-token"
_STOPS = ("revoke", "revoke_target", "quarantine")
"""The routes that stop an agent: the only changes that are made without a line of the change log, if need be."""
_STOP_PATIENCE = 2.0
_SUBJECTS = ("kind", "org", "tenant", "name", "revision")
"""Members of bodies that say what a change is about, where the path does not."""
_MOST_SUBJECT = 500


@dataclass(frozen=True, slots=True)
class Proven:
    """A person, and the secret of the session in whose cookie that was shown; "" for who bears a token or a key."""

    person: Person
    session: str = field(repr=False)


class Authentication(Protocol):
    """What tells people by what their requests show."""

    async def proven(self, request: Request) -> Proven | None:
        """Who sends it, None when nothing proves it. Raises HttpProblem, DatabaseFault."""
        ...

    async def note(self, person: Person, action: str, subject: str, domain: str, reason: str) -> None:
        """Write what the person does to the change log. Raises DatabaseFault."""
        ...


class AdminTokenHolder:
    """Whoever bears the admin token of the key folder is the bootstrap owner, and is called so."""

    def __init__(self, admin_token: str) -> None:
        self._expected = admin_token.encode("ascii")

    async def proven(self, request: Request) -> Proven | None:
        """The bootstrap owner, or nobody."""
        # Compared whole and in constant time, so that time tells nothing.
        is_holder = hmac.compare_digest(bearer_of(request), self._expected)
        return Proven(BOOTSTRAP_OWNER, "") if is_holder else None


class Reach(Enum):
    """Where the permission of a route must hold for its caller to enter."""

    MESH = "mesh"
    """Everywhere: what the route shows or changes belongs to no tenant."""

    PATH = "path"
    """In the tenant that the path names."""

    EACH = "each"
    """Somewhere: the route asks its caller about each thing that it shows or changes."""


@dataclass(frozen=True)
class Needs(params.Security):
    """The permission of a route, and where it must hold; `needs` makes it."""

    permission: Permission | None = None
    reach: Reach = Reach.MESH
    is_logged: bool = True


def needs(permission: Permission, reach: Reach = Reach.MESH, *, is_logged: bool = True) -> Needs:
    """What a route of `people_router` declares, once, among its `dependencies`.

    Where it changes something, that is a line of the change log before it is done; not `is_logged` is what writes its
    own, in the transaction of the change.
    """
    return Needs(_BEARER, scopes=[permission.value], permission=permission, reach=reach, is_logged=is_logged)


def declared(route: APIRoute) -> Needs:
    """What the route declares. Raises TypeError unless that is one permission."""
    declarations = [dependency for dependency in route.dependencies if isinstance(dependency, Needs)]
    if len(declarations) != 1 or declarations[0].permission is None:
        raise TypeError(f"{route.path} must declare one permission: dependencies=[needs(Permission...)]")
    return declarations[0]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks a route, and the permission by which that person was let in."""

    person: Person
    permission: Permission
    session: str = field(repr=False)

    @property
    def csrf(self) -> str:
        """What a page must send along with a change, as `x-csrf-token`; "" for who is in no session."""
        return csrf_token(self.session) if self.session else ""

    @property
    def id(self) -> str:
        """What stands in records and the change log."""
        return self.person.id

    @property
    def sees_all(self) -> bool:
        """Whether the permission holds in the whole mesh."""
        return may(self.person, self.permission, WHOLE_MESH)

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Where the permission holds."""
        return domains_of(self.person, self.permission)

    def may_in(self, org: str, tenant: str) -> bool:
        """Whether the permission holds in that tenant; not where there can be no such tenant."""
        try:
            return may(self.person, self.permission, Domain(org, tenant))
        except ValueError:
            return self.sees_all

    def may_for(self, scope: Scope) -> bool:
        """Whether the permission holds in the agent's tenant."""
        return self.may_in(scope.org, scope.tenant)


def people_router(
    authentication: Authentication, max_body_bytes: int = SMALL_BODY_BYTES, *, takes_forms: bool = False
) -> APIRouter:
    """Routes for people: 401 for who is nobody, 403 for who may not. Each declares its permission with `needs`.

    A body is read as strict JSON of at most that size, before FastAPI sees it. Routes that take forms of pages check
    the seal of each themselves, for no form can send a header.
    """

    class PersonRoute(APIRoute):
        # FastAPI reads a body before it asks any dependency: the caller must be known before that.
        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
            answer, need = super().get_route_handler(), declared(self)

            async def enter(request: Request) -> Response:
                caller = request.state.caller = await _caller(authentication, request, need)
                if not takes_forms:
                    _require_csrf(caller, request)
                if self.body_field is not None:
                    request = await StrictRequest.read(request, max_body_bytes)
                if request.method in SAFE_METHODS or not need.is_logged:
                    return await answer(request)
                return await _on_record(authentication, caller, self.name, request, answer)

            return enter

    return APIRouter(route_class=PersonRoute)


async def _caller(authentication: Authentication, request: Request, need: Needs) -> Caller:
    proven, permission = await authentication.proven(request), need.permission
    if proven is None or permission is None:
        raise HttpProblem(401, "this needs a bearer token")
    request.state.person = proven.person  # the frame of a page says who reads it, of a refusal as well
    caller = Caller(proven.person, permission, proven.session)
    if not _may_enter(caller, need.reach, request):
        raise HttpProblem(403, f"{caller.id} may not do this: it needs {permission.value}, here")
    return caller


def _require_csrf(caller: Caller, request: Request) -> None:
    is_change = bool(caller.session) and request.method not in SAFE_METHODS
    # a browser sends the cookie by itself, for pages of others as well
    if is_change and not is_csrf_token(request.headers.get(CSRF_HEADER, ""), caller.session):
        raise HttpProblem(403, f"a change by a session needs its {CSRF_HEADER}")


async def _on_record(
    authentication: Authentication,
    caller: Caller,
    name: str,
    request: Request,
    answer: Callable[[Request], Awaitable[Response]],
) -> Response:
    """Answer once the act is a line of the change log, in the words of the request."""
    return await on_record(authentication, caller, name, act_words(request), partial(answer, request))


async def on_record(
    authentication: Authentication,
    caller: Caller,
    name: str,
    words: tuple[str, str, str],
    act: Callable[[], Awaitable[Response]],
) -> Response:
    """Do what the caller asks once it is a line of the change log; what then was not done is another line.

    `name` is that of the API's route, so that what is done on a page reads the same; `words` are what it is about,
    where that is, and why.
    """
    action = f"{caller.permission.value.partition(':')[0]}:{name}"
    subject, domain, reason = words
    is_stop = name in _STOPS
    try:
        async with asyncio.timeout(_STOP_PATIENCE if is_stop else None):
            await authentication.note(caller.person, action, subject, domain, reason)
    except (DatabaseFault, TimeoutError) as fault:
        if not is_stop:
            raise
        # a database that is away must not keep an agent going, nor one that does not answer
        why = str(fault) or f"no answer within {_STOP_PATIENCE} seconds"
        _log.error("%s by %s on %s is in no change log: %s", action, caller.id, subject, why)
        return await act()
    note = partial(authentication.note, caller.person, action, subject, domain)
    return await done_or_noted(act, note, _failure)


def _failure(response: Response) -> str:
    if response.status_code < 400:
        return ""
    return NOT_DONE if response.status_code < 500 else UNKNOWN


def act_words(request: Request) -> tuple[str, str, str]:
    """What a request is about, where that is, and why, as it says so itself: cut to what a line takes."""
    body = request.parsed if isinstance(request, StrictRequest) else {}
    words = {name: value for name, value in {**body, **request.path_params}.items() if isinstance(value, str)}
    subject = "/".join(words[name] for name in dict.fromkeys((*request.path_params, *_SUBJECTS)) if name in words)
    try:
        domain = str(Domain(words["org"], words["tenant"]))
    except (KeyError, ValueError):
        domain = str(WHOLE_MESH)
    reason = words.get("note") or words.get("message") or ""
    return printable(subject)[:_MOST_SUBJECT], domain, printable(reason)[:MOST_NOTE]


def _may_enter(caller: Caller, reach: Reach, request: Request) -> bool:
    match reach:
        case Reach.MESH:
            return caller.sees_all
        case Reach.PATH:
            return caller.may_in(request.path_params["org"], request.path_params["tenant"])
        case Reach.EACH:
            return may_somewhere(caller.person, caller.permission)
    return False


def _entered(request: Request) -> Caller:
    caller = request.state.caller
    if not isinstance(caller, Caller):
        raise HttpProblem(401, "this needs a bearer token")
    return caller


Asker = Annotated[Caller, Depends(_entered)]
"""The caller of a route of `people_router`."""

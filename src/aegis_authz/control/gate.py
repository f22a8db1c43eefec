"""Who enters: every route names its permission, and everyone who asks is a person who proved it."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, params
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from aegis_authz.control.http import SMALL_BODY_BYTES, HttpProblem, StrictRequest, bearer_of
from aegis_authz.core.person import WHOLE_MESH, Domain, Person
from aegis_authz.core.scope import Scope
from aegis_authz.people.permissions import BOOTSTRAP_OWNER, Permission, may, may_somewhere
from aegis_authz.people.secrets import csrf_token, is_csrf_token

_BEARER = HTTPBearer(scheme_name="person", auto_error=False)
_SAFE = ("GET", "HEAD")
CSRF_HEADER = "x-csrf-token"


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


def needs(permission: Permission, reach: Reach = Reach.MESH) -> Needs:
    """What a route of `people_router` declares, once, among its `dependencies`."""
    return Needs(_BEARER, scopes=[permission.value], permission=permission, reach=reach)


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
                if self.body_field is None:
                    return await answer(request)
                return await answer(await StrictRequest.read(request, max_body_bytes))

            return enter

    return APIRouter(route_class=PersonRoute)


async def _caller(authentication: Authentication, request: Request, need: Needs) -> Caller:
    proven, permission = await authentication.proven(request), need.permission
    if proven is None or permission is None:
        raise HttpProblem(401, "this needs a bearer token")
    caller = Caller(proven.person, permission, proven.session)
    if not _may_enter(caller, need.reach, request):
        raise HttpProblem(403, f"{caller.id} may not do this: it needs {permission.value}, here")
    return caller


def _require_csrf(caller: Caller, request: Request) -> None:
    is_change = bool(caller.session) and request.method not in _SAFE
    # a browser sends the cookie by itself, for pages of others as well
    if is_change and not is_csrf_token(request.headers.get(CSRF_HEADER, ""), caller.session):
        raise HttpProblem(403, f"a change by a session needs its {CSRF_HEADER}")


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

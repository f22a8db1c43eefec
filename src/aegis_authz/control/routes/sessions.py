"""The routes of signing in: passwords and sessions, which are open, and a person's own session and API keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from aegis_authz.api.people import (
    ApiKeyAnswer,
    ApiKeyRequest,
    ApiKeysAnswer,
    LoginCodeRequest,
    NewApiKeyAnswer,
    PasswordRequest,
    PersonAnswer,
    SessionAnswer,
    SignInRequest,
)
from aegis_authz.control.authentication import SessionCookie
from aegis_authz.control.gate import Asker, Authentication, Reach, needs, people_router
from aegis_authz.control.http import HttpProblem, strict_router
from aegis_authz.control.people.signing_in import OpenedSession, SignIn
from aegis_authz.control.routes.people import roles_of
from aegis_authz.core.person import WHOLE_MESH, Person
from aegis_authz.core.units import Epoch, Monotonic, Seconds
from aegis_authz.people.permissions import BOOTSTRAP_OWNER, Permission, may
from aegis_authz.people.secrets import csrf_token

_DAY = 86_400.0

KeyId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="The key's id: what stands after `aegis_`.")]


@dataclass(frozen=True, slots=True)
class SignInDoor:
    """What the routes of signing in stand on."""

    sign_in: SignIn
    cookie: SessionCookie
    now: Callable[[], Epoch]
    monotonic: Callable[[], Monotonic]


def session_routes(door: SignInDoor, authentication: Authentication) -> list[APIRouter]:
    """`/v1/session`, `/v1/password` and `/v1/api-keys`."""
    everyone, people = strict_router(), people_router(authentication)
    own = needs(Permission.OWN_SESSION, Reach.EACH, is_logged=False)

    @everyone.post("/v1/session")
    async def sign_in(body: SignInRequest, request: Request, response: Response) -> SessionAnswer:
        """Sign in by password; the session is in a cookie."""
        opened = await door.sign_in.by_password(body.person, body.password, source_of(request))
        return _opened(door, opened, response)

    @everyone.post("/v1/session/code")
    async def sign_in_by_code(body: LoginCodeRequest, request: Request, response: Response) -> SessionAnswer:
        """Sign in as who let this command in on a page."""
        opened = await door.sign_in.by_login_code(body.code, body.verifier, source_of(request))
        return _opened(door, opened, response)

    @everyone.post("/v1/password")
    async def set_password(body: PasswordRequest, request: Request, response: Response) -> SessionAnswer:
        """Set a password for a code, and be signed in."""
        source = source_of(request)
        person = await door.sign_in.set_password(body.code, body.person, body.password, source)
        return _opened(door, await door.sign_in.open_session(person, source), response)

    @people.get("/v1/session", dependencies=[own])
    async def get_session(caller: Asker) -> SessionAnswer:
        """Show who the caller is."""
        return SessionAnswer(person=PersonAnswer.of(caller.person, disabled=False), csrf=caller.csrf)

    @people.delete("/v1/session", status_code=204, dependencies=[own])
    async def sign_out(caller: Asker, response: Response) -> None:
        """End the session of the cookie."""
        if caller.session:
            await door.sign_in.sign_out(caller.session)
        door.cookie.drop(response)

    @people.get("/v1/api-keys", dependencies=[own])
    async def list_api_keys(caller: Asker) -> ApiKeysAnswer:
        """List the caller's API keys; those of all for whoever may read people in the whole mesh."""
        keys = [key for key in await door.sign_in.keys() if _is_visible(caller.person, key.person_id)]
        return ApiKeysAnswer(keys=tuple(ApiKeyAnswer.of(key) for key in keys))

    @people.post("/v1/api-keys", dependencies=[own])
    async def make_api_key(body: ApiKeyRequest, caller: Asker) -> NewApiKeyAnswer:
        """Make an API key of the caller's; the answer holds it, once."""
        if caller.person == BOOTSTRAP_OWNER:
            raise HttpProblem(409, "whoever has the admin token is no person: add one, and make the key as that person")
        if not caller.session:  # a key that leaked would else live on in those that it made
            raise HttpProblem(403, "an API key makes no other: sign in, and make it in that session")
        made = await door.sign_in.make_key(caller.person, body.label, roles_of(body.roles), Seconds(body.days * _DAY))
        return NewApiKeyAnswer(**dict(ApiKeyAnswer.of(made.key)), key=made.text)

    @people.delete("/v1/api-keys/{key_id}", status_code=204, dependencies=[own])
    async def revoke_api_key(key_id: KeyId, caller: Asker) -> None:
        """End an API key of the caller's, or of anybody for an owner of the whole mesh."""
        owner = may(caller.person, Permission.APPOINT_PEOPLE, WHOLE_MESH)
        if not await door.sign_in.revoke_key(caller.person, key_id, of_anybody=owner):
            raise HttpProblem(404, "there is no such API key that could be ended")

    return [everyone, people]


def source_of(request: Request) -> str:
    """The address that a request comes from, "" for none."""
    return request.client.host if request.client is not None else ""


def _opened(door: SignInDoor, opened: OpenedSession, response: Response) -> SessionAnswer:
    door.cookie.put(response, opened, door.now())
    return SessionAnswer(person=PersonAnswer.of(opened.person, disabled=False), csrf=csrf_token(opened.secret))


def _is_visible(person: Person, holder: str) -> bool:
    return holder == person.id or may(person, Permission.READ_PEOPLE, WHOLE_MESH)

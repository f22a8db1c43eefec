"""The page on which a person lets a command in that listens on their machine (RFC 8252 section 7.3)."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from aegis_authz.control.gate import Asker, Authentication, Caller, Reach, needs, people_router
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.pages import Form, Pages
from aegis_authz.control.routes.sessions import SignInDoor
from aegis_authz.people.permissions import Permission

Port = Annotated[int, Query(ge=1024, le=65535, description="Where the command listens, on loopback.")]
Challenge = Annotated[str, Query(pattern="^[A-Za-z0-9_-]{43}$", description="S256 of its verifier.")]
State = Annotated[str, Query(pattern="^[0-9a-f]{32}$", description="What it knows its own question by.")]


def command_login_routes(authentication: Authentication, pages: Pages, door: SignInDoor) -> list[APIRouter]:
    """`/approvals/command`."""
    people = people_router(authentication, takes_forms=True)
    own = needs(Permission.OWN_SESSION, Reach.EACH, is_logged=False)

    @people.get("/approvals/command", include_in_schema=False, dependencies=[own])
    async def ask_about_command(
        caller: Asker, request: Request, port: Port, challenge: Challenge, state: State
    ) -> Response:
        """Ask whether the command may act as who is signed in."""
        _require_session(caller)
        return pages.command(caller.person, (str(port), challenge, state), request)

    @people.post("/approvals/command", include_in_schema=False, dependencies=[own])
    async def let_command_in(
        caller: Asker, request: Request, port: Port, challenge: Challenge, state: State
    ) -> Response:
        """Give the command a code, on loopback and nowhere else."""
        _require_session(caller)
        form = await Form.read(request)
        pages.require_own_command(form, caller.person, (str(port), challenge, state), request)
        code = await door.sign_in.make_login_code(caller.person, caller.session, challenge)
        return pages.let_in(f"http://127.0.0.1:{port}/?{urlencode({'code': code, 'state': state})}")

    return [people]


def _require_session(caller: Caller) -> None:
    if not caller.session:
        raise HttpProblem(403, "sign in on the page first: a key, a token or a certificate lets no command in")

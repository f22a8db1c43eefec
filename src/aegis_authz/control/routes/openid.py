"""The pages by which people sign in at an OpenID provider, and sign out."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aegis_authz.control.http import HttpProblem, open_router
from aegis_authz.control.pages import Pages
from aegis_authz.control.people.federation import ATTEMPT_LIFE, Attempt, FederatedSignIn
from aegis_authz.control.routes.approval_pages import Destination
from aegis_authz.control.routes.sessions import SignInDoor, source_of

_MOST_ANSWER = 16  # parameters of a provider's answer


def openid_routes(federation: FederatedSignIn | None, pages: Pages, door: SignInDoor) -> list[APIRouter]:
    """`/approvals/sign-in/oidc`, where there is a provider, and `/approvals/sign-out`."""
    everyone = open_router()

    @everyone.get("/approvals/sign-out", include_in_schema=False)
    async def get_sign_out_page() -> Response:
        """Ask whether to sign out."""
        return pages.sign_out()

    @everyone.post("/approvals/sign-out", include_in_schema=False)
    async def sign_out_on_page(request: Request) -> Response:
        """End the session, and lead on to the provider's own."""
        pages.require_same_site(request)
        secret = door.cookie.secret(request)
        if secret:
            await door.sign_in.sign_out(secret)
        response = pages.signed_out("" if federation is None else await federation.end_at_provider())
        door.cookie.drop(response)
        return response

    if federation is not None:
        _add_provider(everyone, federation, pages, door)
    return [everyone]


def _add_provider(everyone: APIRouter, federation: FederatedSignIn, pages: Pages, door: SignInDoor) -> None:
    cookie = door.cookie.of_attempt()

    @everyone.get("/approvals/sign-in/oidc", include_in_schema=False)
    async def begin_at_provider(to: Destination = "") -> Response:
        """Lead the browser to the provider."""
        url, attempt = await federation.begin(to)
        response = RedirectResponse(url, status_code=303)
        cookie.put(response, attempt.cookie, int(ATTEMPT_LIFE))
        return response

    @everyone.get("/approvals/sign-in/oidc/callback", include_in_schema=False)
    async def complete_from_provider(request: Request) -> Response:
        """Take the provider's answer, and be signed in."""
        pairs = request.query_params.multi_items()
        answer = dict(pairs)
        if len(answer) != len(pairs) or len(pairs) > _MOST_ANSWER:
            raise HttpProblem(400, "a parameter of the provider's answer is there twice")
        attempt = Attempt.parse(cookie.text(request))
        opened = await federation.complete(attempt, answer, source_of(request))
        response = pages.signed_in(opened.person, "" if attempt is None else attempt.to)
        cookie.drop(response)
        door.cookie.put(response, opened, door.now())
        return response

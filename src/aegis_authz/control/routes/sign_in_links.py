"""The page of a link by which a person signs in, once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aegis_authz.control.http import open_router
from aegis_authz.control.pages import Form, Pages
from aegis_authz.control.routes.people import LINK_PATH
from aegis_authz.control.routes.sessions import SignInDoor, source_of

Name = Annotated[str, Query(max_length=128, alias="person")]
Code = Annotated[str, Query(max_length=256)]


def sign_in_link_routes(pages: Pages, door: SignInDoor) -> list[APIRouter]:
    """`/console/sign-in`. To look at it uses nothing up: programs open links to show what is there."""
    everyone = open_router()

    @everyone.get(LINK_PATH, include_in_schema=False)
    async def show_sign_in_link(person_id: Name = "", code: Code = "") -> Response:
        """Ask whether to sign in as that person."""
        return pages.sign_in_link(person_id, code)

    @everyone.post(LINK_PATH, include_in_schema=False)
    async def use_sign_in_link(request: Request) -> Response:
        """Sign in, and use the link up."""
        pages.require_same_site(request)
        form = await Form.read(request)
        code = form.fields.get("code", "")
        opened = await door.sign_in.by_link(form.text("person"), code, source_of(request))
        response = RedirectResponse("/", status_code=303)
        door.cookie.put(response, opened, door.now())
        return response

    return [everyone]

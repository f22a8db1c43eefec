"""Where the console begins, and what its pages are drawn with."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aegis_authz.control.gate import Asker, Authentication, Reach, needs, people_router
from aegis_authz.control.http import open_router
from aegis_authz.control.pages.assets import FOLDER, asset_response
from aegis_authz.control.pages.frame import first_page, frame_of
from aegis_authz.control.pages.templates import page_of
from aegis_authz.people.permissions import Permission

AssetName = Annotated[str, Path(pattern="^[a-z][a-z0-9.-]{0,60}$")]
Version = Annotated[str, Query(alias="v", pattern="^[0-9a-f]{0,12}$")]


def console_routes(authentication: Authentication) -> list[APIRouter]:
    """`/` and `/console/assets`."""
    everyone, people = open_router(), people_router(authentication)

    @everyone.get(f"{FOLDER}/{{name}}", include_in_schema=False)
    async def get_asset(name: AssetName, version: Version = "") -> Response:
        """Send the stylesheet, a script or the icon."""
        return asset_response(name, version)

    @people.get("/", include_in_schema=False, dependencies=[needs(Permission.OWN_SESSION, Reach.EACH)])
    async def begin(caller: Asker, request: Request) -> Response:
        """Lead to the first page that the caller may see."""
        path = first_page(caller.person)
        return RedirectResponse(path, status_code=303) if path else page_of("nothing.html", 200, frame_of(request))

    return [everyone, people]

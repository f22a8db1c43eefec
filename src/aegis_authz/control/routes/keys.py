"""The route that replaces a signing key."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from aegis_authz.api.keys import RotatedAnswer, RotationRequest
from aegis_authz.control.gate import Asker, Authentication, needs, people_router
from aegis_authz.control.http import Wait
from aegis_authz.control.keys.rotating import Rotator
from aegis_authz.people.permissions import Permission


def key_routes(rotator: Rotator, authentication: Authentication) -> list[APIRouter]:
    """`/v1/keys`, for those who may."""
    people = people_router(authentication)

    @people.post("/v1/keys/{name}/rotate", dependencies=[needs(Permission.ROTATE_KEYS)])
    async def rotate_key(
        name: Literal["issuer", "approvals", "bundle", "records"], _: RotationRequest, caller: Asker, wait: Wait = 10
    ) -> RotatedAnswer:
        """Publish the next key, wait until every OPA trusts it, then sign with it."""
        rotated = await rotator.rotate(name, caller.id, wait)
        return RotatedAnswer(name=name, kid=rotated.key_id, former_ends=rotated.former_ends)

    return [people]

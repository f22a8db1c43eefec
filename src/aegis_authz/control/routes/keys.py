"""The route that replaces a signing key."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from aegis_authz.api.keys import RotatedAnswer, RotationRequest
from aegis_authz.control.http import Wait, guarded_router
from aegis_authz.control.rotating import Rotator


def key_routes(rotator: Rotator, admin_token: str) -> list[APIRouter]:
    """`/v1/keys`, for the bearer of the admin token."""
    admin = guarded_router(admin_token, "admin")

    @admin.post("/v1/keys/{name}/rotate")
    async def rotate_key(
        name: Literal["issuer", "approvals", "bundle", "records"], request: RotationRequest, wait: Wait = 10
    ) -> RotatedAnswer:
        """Publish the next key, wait until every OPA trusts it, then sign with it."""
        rotated = await rotator.rotate(name, request.by, wait)
        return RotatedAnswer(name=name, kid=rotated.key_id, former_ends=rotated.former_ends)

    return [admin]

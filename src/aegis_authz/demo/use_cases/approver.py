"""A person who signs in at the control plane and looks at the calls that are held."""

from __future__ import annotations

import secrets

import httpx

_SECONDS = 30.0


async def approvals_of(control: str, admin_token: str, person_id: str, role: str) -> frozenset[str]:
    """Add a person of this role (`approver@org/tenant`), sign in as them, and list what they see: ids of approvals.

    Raises httpx.HTTPError.
    """
    password = secrets.token_urlsafe(24)
    owner = {"authorization": f"Bearer {admin_token}"}
    async with httpx.AsyncClient(base_url=control, timeout=_SECONDS, trust_env=False) as browser:
        person = {"id": person_id, "name": person_id, "roles": [role], "note": "for the demo"}
        code = (await browser.post("/v1/people", headers=owner, json=person)).raise_for_status().json()["code"]
        entry = {"code": code, "person": person_id, "password": password}
        (await browser.post("/v1/password", json=entry)).raise_for_status()
        page = (await browser.get("/v1/approvals")).raise_for_status().json()
        return frozenset(str(approval["id"]) for approval in page["approvals"])

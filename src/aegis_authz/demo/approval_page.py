"""A person at a browser, as far as the demo needs one: opens the page of a held call, reads it, and approves."""

from __future__ import annotations

import re

import httpx

_SEAL = re.compile(r'name="seal" value="([0-9a-f]{64})"')
_SECONDS = 10.0


class PageFailed(Exception):
    """The page did not do what it should; the message says what it answered."""


async def approve_on_page(control: str, admin_token: str, approval_id: str, note: str) -> str:
    """Approve on the page, as whoever bears the token; returns the page that shows how the call stands then.

    Raises PageFailed.
    """
    headers = {"authorization": f"Bearer {admin_token}", "origin": control}
    async with httpx.AsyncClient(base_url=control, headers=headers, timeout=_SECONDS, trust_env=False) as browser:
        path = f"/approvals/{approval_id}"
        page = (await browser.get(path)).text
        seal = _SEAL.search(page)
        if seal is None:
            raise PageFailed(f"{path} has no form")
        form = {"seal": seal.group(1), "verdict": "approve", "note": note}
        answer = await browser.post(path, data=form)
        if answer.status_code != 303:
            raise PageFailed(f"{path} answered {answer.status_code}")
        return (await browser.get(answer.headers["location"])).text

"""Signing in at a provider of others, through a real browser: the cookies that it shows, and the roles that come of it."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from aegis_authz.adapters.jwks import HttpKeySets
from aegis_authz.adapters.openid import HttpOpenIdProvider, ProviderClient
from aegis_authz.adapters.system import SystemClock
from aegis_authz.config.control import ControlSettings
from aegis_authz.config.sign_in import OpenIdSettings, SignInSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.local.tcp_ports import choose_ports
from aegis_authz.testing.people import MemoryPeople
from aegis_authz.testing.store import MemoryStore
from tests.support.real_openid import real_openid

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[1] / "support" / "openid_sign_in.mjs"
PATIENCE = 60
SECRET = "for/this test alone"  # of a provider that lives as long as this test
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ANN = {"email": "ann@acme.example", "email_verified": True, "name": "Ann Lee", "groups": ["Finance", "Audit"]}


async def seen(url: str, profile: str) -> str:
    """What a browser of this profile has on its page in the end, once all that moves by itself has moved."""
    assert CHROMIUM is not None
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}")
    process = await asyncio.create_subprocess_exec(
        *(CHROMIUM, *flags, "--virtual-time-budget=10000", "--dump-dom", url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(PATIENCE):
        page, _ = await process.communicate()
    return page.decode("utf-8")


async def test_a_browser_signs_in_at_a_real_provider_and_goes_on_by_itself(
    new_plane: Callable[..., ControlServices],
    settings: ControlSettings,
    serving: Callable[..., AbstractAsyncContextManager[str]],
    tmp_path: Path,
) -> None:
    if CHROMIUM is None:
        pytest.skip("NO BROWSER: apt-get install chromium runs this")
    ports = choose_ports({"provider": 0, "ours": 0}, {})
    # another site than the provider's, so that the browser is as wary as it would be elsewhere
    ours = f"http://localhost:{ports['ours']}"
    people_file = tmp_path / "people.json"
    roles: dict[str, Any] = {"Finance": {"roles": ["approver"]}, "Audit": {"roles": ["auditor"]}}
    issuer = f"http://127.0.0.1:{ports['provider']}"
    scopes = ("openid", "email", "profile", "groups")
    oidc = OpenIdSettings(issuer=issuer, client_id="aegis", scopes=scopes, groups=roles, new_people=True)
    kept, sets = MemoryPeople(for_tests=True), HttpKeySets()
    openid = HttpOpenIdProvider(ProviderClient(issuer, "aegis", "basic", SECRET), SystemClock())
    update = {"sign_in": SignInSettings(oidc=oidc), "public_url": ours}
    plane = new_plane(
        settings=settings.model_copy(update=update),
        key_sets=sets,
        openid=openid,
        people=kept,
        approvals=MemoryStore(SystemClock(), 60, for_tests=True),
    )

    def known(**people: Any) -> None:
        people_file.write_text(json.dumps({"login": "u-1", "people": people}))

    known(**{"u-1": ANN})
    back = (f"{ours}/approvals/sign-in/oidc/callback", f"{ours}/approvals/sign-in")
    async with real_openid(SCRIPT, str(ports["provider"]), str(people_file), *back), serving(plane, port=ports["ours"]):
        with tempfile.TemporaryDirectory() as profile:
            assert "You are not signed in" in await seen(f"{ours}/approvals", profile)
            page = await seen(f"{ours}/approvals/sign-in/oidc", profile)
            assert "Nothing waits for you" in page, page
        assert (await kept.account("ann@acme.example")).person.name == "Ann Lee"
        assert {str(role) for role in (await kept.account("ann@acme.example")).person.roles} == {"approver", "auditor"}
        known(**{"u-1": {**ANN, "groups": ["Audit"]}})
        with tempfile.TemporaryDirectory() as profile:
            assert "Nothing waits for you" in await seen(f"{ours}/approvals/sign-in/oidc", profile)
        assert {str(role) for role in (await kept.account("ann@acme.example")).person.roles} == {"auditor"}
        known(**{"u-1": {**ANN, "groups": []}})
        with tempfile.TemporaryDirectory() as profile:
            page = await seen(f"{ours}/approvals/sign-in/oidc", profile)
            assert "none of your groups has a role here" in page
    await openid.close()
    await sets.close()

"""GET /v1/spend: what the records say that calls cost, for the bearer of the admin token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.core.effect import Effect
from aegis_authz.core.money import Money
from aegis_authz.core.reason import Reason
from tests.support.made_records import DENIED

Connect = Callable[[ControlServices, str], httpx.AsyncClient]
PAID = replace(DENIED, effect=Effect.ALLOW, reason=Reason.ALLOWED, cost=Money(42, "EUR"))


async def _record(folder: Path) -> None:
    log = FileRecordLog(folder / "authz-0", "authz-0", Ed25519PrivateKey.generate(), SystemClock())
    async with log:
        await log.append(PAID)


async def test_spend_is_added_up_by_what_was_asked_for(
    plane: ControlServices, client: Connect, settings: ControlSettings
) -> None:
    async with client(plane, "ann") as admin:
        assert (await admin.get("/v1/spend")).json() == {"spend": []}
        await _record(settings.records)
        (row,) = (await admin.get("/v1/spend", params={"by": ["agent", "day"], "since": 1})).json()["spend"]
        assert row == {
            "tenant": "",
            "agent": "acme/emea/finance-agent",
            "tool": "",
            "day": "2027-01-15",
            "currency": "EUR",
            "calls": 1,
            "micros": 42,
            "unsettled_micros": 42,
            "released_calls": 0,
        }
        assert [row["tool"] for row in (await admin.get("/v1/spend")).json()["spend"]] == ["stripe-payments"]
        for wrong in ({"by": "week"}, {"since": -1}, {"since": "nan"}):
            assert (await admin.get("/v1/spend", params=wrong)).status_code == 400
    async with client(plane, "no token") as nobody:
        assert (await nobody.get("/v1/spend")).status_code == 401

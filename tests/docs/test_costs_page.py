"""docs/costs.md: its catalogue is one, and its commands do what it says; tests/e2e/test_costs.py plays the rest."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.cli.app import app
from aegis_authz.core.effect import Effect
from aegis_authz.core.money import Money
from aegis_authz.core.price import FixedPrice, OnError, ParameterPrice, Pricing, TokenPrice
from aegis_authz.core.reason import Reason
from aegis_authz.policy.load import load
from tests.support.made_records import DENIED

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "costs.md").read_text("utf-8")


def test_the_catalogue_of_the_page_has_the_prices_that_it_says() -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    prices = load({}, {"tools.yaml": text}).prices
    assert prices.by_action["search"] == {
        "": Pricing(FixedPrice(2_000, "USD"), OnError.KEEP),
        "order": Pricing(ParameterPrice("amount", 10**10, "EUR"), OnError.KEEP),
    }
    assert prices.by_action["openai"][""].price == TokenPrice("/model", None)
    sonnet = prices.of_model("claude-sonnet-4")
    assert sonnet is not None and (sonnet.cache_write, sonnet.max_output) == (3_750_000, 64_000)


async def test_its_commands_run(tmp_path: Path) -> None:
    log = FileRecordLog(tmp_path / "records" / "authz-0", "authz-0", Ed25519PrivateKey.generate(), SystemClock())
    async with log:
        now = SystemClock().now()
        paid = replace(DENIED, effect=Effect.ALLOW, reason=Reason.ALLOWED, time=now, cost=Money(1, "EUR"))
        await log.append(paid)
    commands = re.findall(r"^    aegis (.*)$|`aegis (tools prices .*?)`", PAGE, re.MULTILINE)
    texts = [(plain or inline).replace("DIR", str(tmp_path)) for plain, inline in commands]
    places = [text.replace("policies/tools/prices.yaml", str(tmp_path / "prices.yaml")) for text in texts]
    run = [text for text in places if not text.startswith("limits show")]  # that one asks a mesh
    assert [text.split()[0] for text in run] == ["tools", "spend"] and len(places) == 3
    for text in run:
        result = CliRunner().invoke(app, text.split())
        assert result.exit_code == 0, (text, result.output)
    assert "acme/emea/finance-agent" in result.output
    assert load({}, {"prices.yaml": (tmp_path / "prices.yaml").read_text("utf-8")}).prices.of_model("gpt-4o")

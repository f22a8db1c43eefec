"""Prices of models for a catalogue: what the command writes, the loader takes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aegis_authz.cli.app import app
from aegis_authz.commands.faults import Unable
from aegis_authz.commands.prices import prices_document
from aegis_authz.policy.load import load

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def test_the_document_is_one_of_a_catalogue_and_knows_models_by_name_and_by_beginning() -> None:
    text = prices_document(["openai", "anthropic"], NOW)
    prices = load({}, {"prices.yaml": text}).prices
    exact, begun = prices.of_model("gpt-4o"), prices.of_model("claude-3-5-haiku-20241022")
    assert exact is not None and begun is not None
    assert 0 < exact.cached <= exact.input < exact.output
    assert begun.input < begun.cache_write and begun.context == 200_000
    assert prices.of_model("of-nobody") is None
    assert "genai-prices" in text


def test_an_unknown_provider_is_refused_by_name() -> None:
    with pytest.raises(Unable, match="no provider 'openia'"):
        prices_document(["openia"], NOW)


def test_the_command_writes_a_file(tmp_path: Path) -> None:
    out = tmp_path / "prices.yaml"
    assert CliRunner().invoke(app, ["tools", "prices", "openai", "--out", str(out)]).exit_code == 0
    assert load({}, {"prices.yaml": out.read_text()}).prices.models
    assert CliRunner().invoke(app, ["tools", "prices", "nobody"]).exit_code == 2

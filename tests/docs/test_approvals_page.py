"""docs/approvals.md, followed to the letter."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
import yaml

from aegis_authz.config.channels import ChannelSettings
from tests.docs.test_readme import ran_out_of_time
from tests.support.page_steps import Command, problems, steps, stop_mesh, terminal

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "approvals.md").read_text("utf-8")


@pytest.mark.slow
def test_every_command_does_what_the_page_prints(tmp_path: Path) -> None:
    try:
        found = problems(steps(PAGE), tmp_path, terminal(), partial(ran_out_of_time, tmp_path))
        assert next(found, "") == ""
    finally:
        stop_mesh(tmp_path, ".aegis")


def test_the_page_leads_to_a_decision_by_command_and_on_the_page() -> None:
    printed = "\n".join(step.output for step in steps(PAGE) if isinstance(step, Command))
    assert "approved: acme/emea/finance-agent may run" in printed
    assert "303 Approved by bootstrap-owner." in printed


def test_the_settings_of_channels_are_as_the_control_plane_takes_them() -> None:
    (block,) = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if text.startswith("channels:")]
    settings = ChannelSettings.model_validate(yaml.safe_load(block)["channels"])
    assert settings.slack is not None
    assert settings.slack.people["U024BE7LH"].roles == ("approver@acme/emea",)
    assert (set(settings.webhook), settings.teams is not None, settings.email is not None) == ({"soc"}, True, True)

"""docs/approvals.md, followed to the letter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import yaml

from aegis_authz.config.channels import ChannelSettings
from aegis_authz.notices.slack import APPROVE
from tests.docs.test_readme import ran_out_of_time
from tests.support.page_steps import Command, Edit, problems, steps, stop_mesh, terminal
from tests.support.slack_presses import AttendedSlack, slack_beside

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "approvals.md").read_text("utf-8")


SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


def ready_steps(slack: AttendedSlack) -> Iterator[Command | Edit]:
    """The steps of the page, whose Slack is this one; the mesh goes down when the message was changed."""
    for step in steps(PAGE):
        if isinstance(step, Edit) and step.path == "channels.yaml":
            place = f"    api: {slack.url}/api\n    response_hosts: ['{slack.url.removeprefix('http://')}']\n"
            step = replace(step, after=step.after + place)
        if isinstance(step, Command) and step.text == "aegis down" and slack.posted:
            assert slack.settled.wait(60)
        yield step


@pytest.mark.slow
def test_every_command_does_what_the_page_prints(tmp_path: Path) -> None:
    slack = AttendedSlack(
        token="xoxb-ann", user="U024BE7LH", action=APPROVE, secret=SECRET.encode(), state=tmp_path / ".aegis"
    )
    reader = {**terminal(), "SLACK_BOT_TOKEN": slack.token, "SLACK_SIGNING_SECRET": SECRET}
    with slack_beside(slack):
        try:
            found = problems(ready_steps(slack), tmp_path, reader, partial(ran_out_of_time, tmp_path))
            assert next(found, "") == ""
        finally:
            stop_mesh(tmp_path, ".aegis")
    (posted,) = slack.posted
    assert posted["channel"] == "#payments"
    assert slack.answers == [200]
    assert "Approved by ann@acme.example" in json.dumps(slack.updated[0]["blocks"])


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

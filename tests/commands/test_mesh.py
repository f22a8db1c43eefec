"""What a mesh on one machine is given beside its folders: a file of channels."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz.commands.faults import Unable
from aegis_authz.commands.mesh import channels_of_file

CHANNELS = """\
channels:
  slack: {bot_token_file: slack-bot-token, signing_secret_file: "vault:secret/aegis#signing", people: {U1: {id: ann}}}
  teams: {webhooks: {payments: teams/payments-url}}
  webhook: {soc: {url: "https://soc.example/x", secret_file: /run/secrets/soc}}
  email: {host: mail.example, sender: aegis@acme.example, password_file: smtp}
"""


def test_files_of_secrets_are_beside_the_file_that_names_them(tmp_path: Path) -> None:
    file = tmp_path / "channels.yaml"
    file.write_text(CHANNELS)
    channels = channels_of_file(file)
    assert channels.slack is not None
    assert channels.teams is not None
    assert channels.email is not None
    assert channels.slack.bot_token_file == tmp_path / "slack-bot-token"
    assert str(channels.slack.signing_secret_file) == "vault:secret/aegis#signing"
    assert channels.slack.people["U1"].id == "ann"
    assert channels.teams.webhooks == {"payments": tmp_path / "teams/payments-url"}
    assert channels.webhook["soc"].secret_file == Path("/run/secrets/soc")
    assert channels.email.password_file == tmp_path / "smtp"


@pytest.mark.parametrize("text", ["", "slack: {}\n", "channels: {sms: {}}\n", "channels: [1\n"])
def test_a_file_that_says_no_channels_is_told_by_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "channels.yaml"
    file.write_text(text)
    with pytest.raises(Unable, match=r"channels\.yaml"):
        channels_of_file(file)


def test_a_file_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(Unable, match="nowhere"):
        channels_of_file(tmp_path / "nowhere.yaml")

"""Channels are opened as the settings say, with secrets from files or the environment and never in a fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.bootstrap.channels import OpenChannels, open_channels, secret_text
from aegis_authz.bootstrap.settings import SettingsError
from aegis_authz.config.channels import ChannelSettings
from aegis_authz.core.notice import ChannelKind
from aegis_authz.core.person import WHOLE_MESH, Person, Role, RoleBinding

URL = "https://aegis.acme.example"


def opened(**settings: object) -> OpenChannels:
    return open_channels(ChannelSettings.model_validate(settings), URL, SystemClock())


def secret(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


async def test_every_kind_of_channel_is_opened_and_closed(tmp_path: Path) -> None:
    channels = opened(
        slack={
            "bot_token_file": secret(tmp_path, "token", "xoxb-1\n"),
            "signing_secret_file": secret(tmp_path, "signing", "8f742231b10e8888abcd99yyyzzz85a5"),
            "people": {"U0ANN": {"id": "ann", "groups": ["finance"], "roles": ["approver"]}},
        },
        teams={"webhooks": {"payments": secret(tmp_path, "teams", "https://x.example/secret")}},
        webhook={"soc": {"url": "https://soc.example/in", "secret_file": secret(tmp_path, "key", "k" * 32)}},
        email={"host": "mail.example", "sender": "aegis@acme.example"},
    )
    assert set(channels.channels) == {"log", "slack", "teams", "webhook", "email"}
    assert channels.slack is not None
    binding = RoleBinding(Role.APPROVER, WHOLE_MESH)
    assert channels.slack.people == {"U0ANN": Person("ann", "ann", frozenset({"finance"}), (binding,))}
    assert "8f742231b10e8888abcd99yyyzzz85a5" not in repr(channels)
    await channels.close()


def test_a_secret_may_be_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEGIS_SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv("AEGIS_SLACK_SIGNING_SECRET", "s" * 32)
    assert opened(slack={}).slack is not None


@pytest.mark.parametrize("text", ["", "\n", "two\nlines", "x" * 5000, "caf\u00e9"])
def test_a_file_that_holds_no_secret_is_named_and_what_it_holds_is_not(tmp_path: Path, text: str) -> None:
    path = Path(secret(tmp_path, "token", text))
    with pytest.raises(SettingsError, match="holds no secret") as caught:
        secret_text(path, "")
    assert str(path) in str(caught.value)
    assert not text.strip() or text.strip() not in str(caught.value)


def test_a_secret_that_is_nowhere_is_told_by_the_name_of_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AEGIS_SLACK_BOT_TOKEN", raising=False)
    with pytest.raises(SettingsError, match="AEGIS_SLACK_BOT_TOKEN of the environment holds no secret"):
        opened(slack={})
    with pytest.raises(SettingsError, match="no such file"):
        opened(teams={"webhooks": {"payments": str(tmp_path / "nowhere")}})


def test_a_secret_that_others_can_read_is_refused_and_so_is_what_is_no_text(tmp_path: Path) -> None:
    path = Path(secret(tmp_path, "token", "xoxb-1"))
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="lets others use this secret"):
        secret_text(path, "")
    path.chmod(0o600)
    path.write_bytes(b"secret \xff")
    with pytest.raises(SettingsError, match="it is no text") as caught:
        secret_text(path, "")
    assert "secret \\" not in str(caught.value)


def test_a_key_of_signatures_is_long_enough(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="a key of 31 bytes; at least 32 are needed"):
        opened(webhook={"soc": {"url": "https://soc.example/in", "secret_file": secret(tmp_path, "key", "k" * 31)}})


@pytest.mark.parametrize("url", ["http://x.example/hook", "https://", "x.example/hook", "https://u:p@x.example/h"])
def test_a_webhook_of_teams_is_a_url_by_which_nobody_else_reads_a_call(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="holds no URL of a webhook") as caught:
        opened(teams={"webhooks": {"payments": secret(tmp_path, "teams", url)}})
    assert "x.example" not in str(caught.value)


@pytest.mark.parametrize(
    "entry",
    [{"id": "bootstrap-owner"}, {"id": "Ann"}, {"id": "ann", "roles": ["king"]}, {"id": "ann", "groups": ["A b"]}],
)
def test_a_person_who_can_be_nobody_is_told(entry: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEGIS_SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv("AEGIS_SLACK_SIGNING_SECRET", "s" * 32)
    with pytest.raises(SettingsError, match=r"channels\.slack\.people\.U0ANN"):
        opened(slack={"people": {"U0ANN": entry}})


def test_the_settings_have_a_section_for_each_kind_of_channel_there_is() -> None:
    assert set(ChannelSettings.model_fields) == {kind.value for kind in ChannelKind}

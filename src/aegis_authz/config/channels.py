"""Settings of the channels by which people learn of held calls. Secrets are in files, or in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from aegis_authz.config.values import PrivateUrl, Settings
from aegis_authz.core.notice import ChannelKind, ChannelPlaces


class SlackPerson(Settings):
    """Who a user of Slack is here: the id that stands in records, groups, and roles such as `approver@acme/emea`."""

    id: str
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


class SlackSettings(Settings):
    """An app of Slack with the scope `chat:write`, whose interactivity points at `/v1/channels/slack/interactions`.

    The files hold the bot's token and the signing secret; without them the environment does (AEGIS_SLACK_BOT_TOKEN,
    AEGIS_SLACK_SIGNING_SECRET). With `socket_mode` presses come over a connection that this side opens, by an app-level
    token with `connections:write` (`app_token_file`, or AEGIS_SLACK_APP_TOKEN), and nothing is signed. `response_hosts`
    are those that take answers to who pressed a button. `people` says by the id of a user at Slack (`U024BE7LH`) who
    that is, before anybody who is linked to it; all others decide nothing.
    """

    bot_token_file: Path | None = None
    signing_secret_file: Path | None = None
    socket_mode: bool = False
    app_token_file: Path | None = None
    api: PrivateUrl = "https://slack.com/api"
    response_hosts: tuple[str, ...] = ("hooks.slack.com",)
    people: Mapping[str, SlackPerson] = {}


class TeamsSettings(Settings):
    """Workflows webhooks of Microsoft Teams by name, each a file that holds its URL, which is a secret."""

    webhooks: Mapping[str, Path]


class WebhookSettings(Settings):
    """A program of one's own. `secret_file` holds the key of the signatures, at least 32 bytes."""

    url: PrivateUrl
    secret_file: Path


class MailSettings(Settings):
    """Where mail is handed in: with STARTTLS, unless the server is on this machine.

    `password_file` holds the password of `user`; without it the environment does (AEGIS_SMTP_PASSWORD).
    """

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    sender: str = Field(pattern=r"^[!-~]+@[!-~]+$", max_length=200)
    user: str = ""
    password_file: Path | None = None


class ChannelSettings(Settings):
    """The channels there are; `notify: ["slack:#finance"]` of a policy names a place of one."""

    slack: SlackSettings | None = None
    teams: TeamsSettings | None = None
    webhook: Mapping[str, WebhookSettings] = {}
    email: MailSettings | None = None


def places_of(settings: ChannelSettings | None) -> ChannelPlaces:
    """The places that policies may name: any channel of Slack and any address, where there are such channels."""
    if settings is None:
        return ChannelPlaces({})
    names: dict[str, frozenset[str] | None] = {}
    if settings.slack is not None:
        names[ChannelKind.SLACK.value] = None
    if settings.teams is not None:
        names[ChannelKind.TEAMS.value] = frozenset(settings.teams.webhooks)
    if settings.webhook:
        names[ChannelKind.WEBHOOK.value] = frozenset(settings.webhook)
    if settings.email is not None:
        names[ChannelKind.EMAIL.value] = None
    return ChannelPlaces(names)


class ChannelFile(Settings):
    """A file that holds the settings of channels alone, as the settings of a control plane hold them."""

    channels: ChannelSettings

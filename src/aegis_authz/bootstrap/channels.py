"""The channels of a control plane, as its settings say, with their secrets read once."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from aegis_authz.adapters.channels.hooks import Hook, TeamsChannel, WebhookChannel
from aegis_authz.adapters.channels.log import LogChannel
from aegis_authz.adapters.channels.mail import MailChannel, MailServer
from aegis_authz.adapters.channels.slack import SlackChannel
from aegis_authz.adapters.files.secret_file import SecretUnusable, read_secret
from aegis_authz.bootstrap.settings import SettingsError
from aegis_authz.bootstrap.vault import IN_VAULT, vault_secret
from aegis_authz.config.channels import ChannelSettings, MailSettings, SlackPerson, SlackSettings
from aegis_authz.core.address import is_private_url
from aegis_authz.core.notice import LOG_PLACE, ChannelKind
from aegis_authz.core.person import Person, RoleBinding
from aegis_authz.people.permissions import RESERVED_IDS
from aegis_authz.ports.data_plane import Clock
from aegis_authz.ports.notices import Channel

_MOST_SECRET = 4096
_LEAST_KEY = 32


@dataclass(frozen=True, slots=True)
class SlackApp:
    """The channel of a Slack app, who its users are here, and the secret with which Slack signs.

    `signing_secret` is None, and `app_token` is not "", where presses come by Socket Mode. `api` is Slack's.
    """

    channel: SlackChannel
    people: Mapping[str, Person]
    signing_secret: bytes | None = field(repr=False)
    app_token: str = field(repr=False)
    api: str


@dataclass(frozen=True, slots=True)
class OpenChannels:
    """The channels there are by their kind, and what closes them."""

    channels: Mapping[str, Channel]
    slack: SlackApp | None
    closes: tuple[Callable[[], Awaitable[None]], ...]

    async def close(self) -> None:
        """Close the connections of all."""
        for close in self.closes:
            await close()


def open_channels(settings: ChannelSettings | None, public_url: str, clock: Clock) -> OpenChannels:
    """The channels of these settings, and the log, which is always there; nothing is connected yet.

    Raises SettingsError for a secret that is not there.
    """
    if settings is None:
        return OpenChannels({LOG_PLACE: LogChannel()}, None, ())
    slack = None if settings.slack is None else _slack(settings.slack, public_url)
    kinds: dict[str, SlackChannel | TeamsChannel | WebhookChannel | MailChannel] = {}
    if slack is not None:
        kinds[ChannelKind.SLACK.value] = slack.channel
    if settings.teams is not None:
        urls = {name: _url(path) for name, path in settings.teams.webhooks.items()}
        kinds[ChannelKind.TEAMS.value] = TeamsChannel(urls, public_url)
    if settings.webhook:
        hooks = {name: Hook(hook.url, signing_key(hook.secret_file)) for name, hook in settings.webhook.items()}
        kinds[ChannelKind.WEBHOOK.value] = WebhookChannel(hooks, public_url, clock)
    if settings.email is not None:
        kinds[ChannelKind.EMAIL.value] = MailChannel(_mail_server(settings.email), public_url, clock)
    channels: dict[str, Channel] = {LOG_PLACE: LogChannel(), **kinds}
    return OpenChannels(channels, slack, tuple(channel.close for channel in kinds.values()))


def secret_text(path: Path | None, variable: str) -> str:
    """The secret in this file, or at this place of a Vault, or in this variable of the environment where neither is
    named.

    Raises SettingsError, which names the place and never the secret.
    """
    if path is None:
        text = os.environ.get(variable, "")
        place = f"{variable} of the environment"
    else:
        place = str(path)
        try:
            if place.startswith(IN_VAULT):
                text = vault_secret(place.removeprefix(IN_VAULT))
            else:
                text = read_secret(path, _MOST_SECRET + 1).decode("utf-8")
        except (SecretUnusable, UnicodeDecodeError) as fault:
            raise SettingsError(f"{place} cannot be used as a secret: {_told(fault)}") from None
    text = text.strip()
    if not 0 < len(text) <= _MOST_SECRET or not (text.isascii() and text.isprintable()):
        raise SettingsError(f"{place} holds no secret: it must be one line of 1 to {_MOST_SECRET} printable characters")
    return text


def _told(fault: SecretUnusable | UnicodeDecodeError) -> str:
    return str(fault) if isinstance(fault, SecretUnusable) else "it is no text"  # a decoder's fault shows what it read


def _slack(settings: SlackSettings, public_url: str) -> SlackApp:
    token = secret_text(settings.bot_token_file, "AEGIS_SLACK_BOT_TOKEN")
    secret, app_token = None, ""
    if settings.socket_mode:
        app_token = secret_text(settings.app_token_file, "AEGIS_SLACK_APP_TOKEN")
    else:
        secret = secret_text(settings.signing_secret_file, "AEGIS_SLACK_SIGNING_SECRET").encode("ascii")
    channel = SlackChannel(token, public_url, settings.api, settings.response_hosts)
    people = {user: _person(user, entry) for user, entry in settings.people.items()}
    return SlackApp(channel, people, secret, app_token, settings.api)


def _person(user: str, entry: SlackPerson) -> Person:
    if entry.id in RESERVED_IDS:
        raise SettingsError(f"channels.slack.people.{user}: {entry.id} stands in records for what is no person")
    try:
        return Person(entry.id, entry.id, frozenset(entry.groups), tuple(map(RoleBinding.parse, entry.roles)))
    except ValueError as fault:
        raise SettingsError(f"channels.slack.people.{user}: {fault}") from None


def _url(path: Path) -> str:
    """The URL of a webhook, which is a secret by itself: over TLS, or on this machine."""
    url = secret_text(path, "")
    try:
        parts = urlsplit(url)
        is_usable = is_private_url(parts.scheme, parts.hostname or "") and parts.username is None
    except ValueError:
        is_usable = False
    if not is_usable:
        raise SettingsError(f"{path} holds no URL of a webhook: it must be https:// and a host")
    return url


def signing_key(path: Path) -> bytes:
    """The key of signatures in this file. Raises SettingsError."""
    key = secret_text(path, "").encode("ascii")
    if len(key) < _LEAST_KEY:
        raise SettingsError(f"{path} holds a key of {len(key)} bytes; at least {_LEAST_KEY} are needed")
    return key


def _mail_server(settings: MailSettings) -> MailServer:
    password = secret_text(settings.password_file, "AEGIS_SMTP_PASSWORD") if settings.user else ""
    return MailServer(settings.host, settings.port, settings.sender, settings.user, password)

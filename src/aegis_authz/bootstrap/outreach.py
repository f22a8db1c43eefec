"""How people meet held calls: what they read in a browser, what tells them, and what takes what they press."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from aegis_authz.approvals.deciding import Approver
from aegis_authz.bootstrap.channels import OpenChannels, SlackApp
from aegis_authz.bootstrap.control_stores import ControlStores
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import Outreach, Watch
from aegis_authz.control.approvals.callbacks import CallbackCourier, CallbackServices
from aegis_authz.control.approvals.deciding_on_record import Deciding
from aegis_authz.control.approvals.pressing import SlackPresses
from aegis_authz.control.pages import Pages
from aegis_authz.core.notice import ChannelKind
from aegis_authz.core.person import Person
from aegis_authz.notices.delivery import Courier
from aegis_authz.ports.data_plane import Clock
from aegis_authz.ports.notices import Outbox
from aegis_authz.ports.people import PeopleStore, PersonUnknown
from aegis_authz.telemetry.oversight import NoticeMetrics


@dataclass(frozen=True, slots=True)
class Notices:
    """Where notices of held calls are kept until they are delivered, and the channels that deliver them."""

    outbox: Outbox
    channels: OpenChannels


def _courier(
    notices: Notices, stores: ControlStores, approver: Approver, count: NoticeMetrics, clock: Clock
) -> Courier:
    return Courier(notices.outbox, stores.approvals, approver.get, notices.channels.channels, clock, count)


def _presses(
    notices: Notices, people: PeopleStore, approver: Approver, deciding: Deciding, clock: Clock
) -> SlackPresses | None:
    app = notices.channels.slack
    if app is None:
        return None
    named = app.people

    async def person_of(user: str) -> Person:
        """Whom the settings name for that user of Slack, else who is linked to it; as the database knows them."""
        person = named.get(user)
        try:
            account = await (
                people.at_address(ChannelKind.SLACK.value, user) if person is None else people.account(person.id)
            )
        except PersonUnknown:
            if person is None:
                raise
            return person  # the settings alone know that person
        if account.is_disabled:
            raise PersonUnknown(user)
        return account.person  # roles that were taken are gone here, too

    return SlackPresses(app.signing_secret, approver, person_of, app.channel, deciding, clock)


def outreach(
    settings: ControlSettings,
    notices: Notices | None,
    callbacks: CallbackServices | None,
    stores: ControlStores,
    approver: Approver,
    deciding: Deciding,
    registry: CollectorRegistry,
    clock: Clock,
    secret: str,
) -> Outreach:
    """What people meet held calls by; `secret` is one that all control planes of a mesh have."""
    # of the secret that all control planes of a mesh have: a form of one is sent to another
    key = hmac.digest(secret.encode("ascii"), b"aegis pages v1", "sha256")
    oidc = settings.sign_in.oidc
    pages = Pages(key, settings.people_url or settings.public_url, "" if oidc is None else oidc.label)
    count, caller = NoticeMetrics(registry), None
    if callbacks is not None:
        base = settings.people_url or settings.public_url
        caller = CallbackCourier(callbacks, approver.get, stores.people.people, clock, count, base)
    if notices is None:
        return Outreach(pages, None, None, None, caller)
    presses = _presses(notices, stores.people.people, approver, deciding, clock)
    courier = _courier(notices, stores, approver, count, clock)
    return Outreach(pages, courier, presses, _socket(notices.channels.slack, presses), caller)


def _socket(app: SlackApp | None, presses: SlackPresses | None) -> Watch | None:
    if app is None or presses is None or not app.app_token:
        return None
    from aegis_authz.adapters.channels.slack_socket import SlackSocket  # only here: what it takes is an extra

    return SlackSocket(app.app_token, app.api, presses.take_payload)

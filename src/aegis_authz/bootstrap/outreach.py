"""How people meet held calls and learn of refusals: what they read, what tells them, and what takes what they press."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from aegis_authz.adapters.records.refusals import RefusalFollower
from aegis_authz.approvals.deciding import Approver
from aegis_authz.bootstrap.channels import OpenChannels, SlackApp
from aegis_authz.bootstrap.control_stores import ControlStores
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.alerting import Alerter
from aegis_authz.control.app import Outreach, Watch
from aegis_authz.control.approvals.callbacks import CallbackCourier, CallbackServices
from aegis_authz.control.approvals.deciding_on_record import Deciding
from aegis_authz.control.approvals.pressing import SlackPresses
from aegis_authz.control.pages import Pages
from aegis_authz.control.policies.published_documents import PublishedDocuments
from aegis_authz.core.alert import AlertRules
from aegis_authz.core.notice import ChannelKind
from aegis_authz.core.person import Person
from aegis_authz.notices.delivery import Courier
from aegis_authz.policy.compile.alerts import alerts_of
from aegis_authz.ports.data_plane import Clock
from aegis_authz.ports.notices import Alerts, Outbox
from aegis_authz.ports.people import PeopleStore, PersonUnknown
from aegis_authz.telemetry.oversight import NoticeMetrics

ALERT_CURSOR = "alerts.cursor"
"""How far the control plane has looked for refusals that are told, in its state folder."""
CONTROL_WRITER = "control"
"""The control plane's name among the writers of records."""


@dataclass(frozen=True, slots=True)
class Notices:
    """Where notices and alerts are kept until they are delivered, and the channels that deliver them."""

    outbox: Outbox
    alerts: Alerts
    channels: OpenChannels


def alerter_of(
    settings: ControlSettings, notices: Notices | None, documents: PublishedDocuments, clock: Clock
) -> Alerter | None:
    """What finds refusals that documents want told; None where nobody can be told."""
    if notices is None:
        return None
    refusals = RefusalFollower(settings.records, settings.state / ALERT_CURSOR, CONTROL_WRITER)

    def rules() -> AlertRules:
        return AlertRules.by(alerts_of(documents.current().loaded.compiled))

    return Alerter(refusals, rules, notices.alerts, notices.channels.channels.__contains__, clock)


def cautions_of(alerter: Alerter | None) -> Callable[[], Awaitable[tuple[str, ...]]]:
    """What says what to know of the documents that are served."""
    return _no_cautions if alerter is None else alerter.cautions


async def _no_cautions() -> tuple[str, ...]:
    return ()


def _courier(
    notices: Notices, stores: ControlStores, approver: Approver, count: NoticeMetrics, clock: Clock
) -> Courier:
    return Courier(
        notices.outbox, stores.approvals, approver.get, notices.alerts, notices.channels.channels, clock, count
    )


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
    alerter: Alerter | None,
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
        return Outreach(pages, None, None, None, caller, None)
    presses = _presses(notices, stores.people.people, approver, deciding, clock)
    courier = _courier(notices, stores, approver, count, clock)
    return Outreach(pages, courier, presses, _socket(notices.channels.slack, presses), caller, alerter)


def _socket(app: SlackApp | None, presses: SlackPresses | None) -> Watch | None:
    if app is None or presses is None or not app.app_token:
        return None
    from aegis_authz.adapters.channels.slack_socket import SlackSocket  # only here: what it takes is an extra

    return SlackSocket(app.app_token, app.api, presses.take_payload)

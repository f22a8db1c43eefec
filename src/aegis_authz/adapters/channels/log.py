"""The log of the control plane as a channel: what a document wants told there is a line of it."""

from __future__ import annotations

import logging

from aegis_authz.core.alert import Alert
from aegis_authz.core.approval import Approval
from aegis_authz.core.notice import Notice
from aegis_authz.notices.words import alert_explanation, alert_headline, explanation, headline

_log = logging.getLogger(__name__)


class LogChannel:
    """`ports.Channel` for the place `log`."""

    @property
    def tells_outcomes(self) -> bool:
        """The records tell what became of a call."""
        return False

    async def deliver(self, notice: Notice, approval: Approval) -> str:
        """Write a line about the held call."""
        request = approval.request
        _log.warning("held %s: %s. %s", request.id, headline(request), explanation(request))
        return ""

    async def deliver_alert(self, notice: Notice, alert: Alert) -> str:
        """Write a line about the refusals."""
        words = f"{alert_headline(alert)}. {alert_explanation(alert)}"
        _log.warning("alert %s: %s Decisions: %s", alert.id, words, ", ".join(alert.decisions))
        return ""

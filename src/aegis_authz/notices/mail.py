"""A held call, or refusals, as a mail in plain text (RFC 5322): it shows the call and links to the page.

A mail tells nobody's identity back, so an answer to it decides nothing.
"""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from aegis_authz.approvals.statement import is_statement_of, statement_text
from aegis_authz.core.alert import Alert
from aegis_authz.core.approval import Approval
from aegis_authz.core.units import Epoch
from aegis_authz.notices.words import (
    NOT_SHOWN,
    alert_explanation,
    alert_headline,
    decision_url,
    explanation,
    headline,
    page_url,
)

_BEGIN, _END = "----- the call -----", "----- end of the call -----"
_MOST_SUBJECT = 200


def mail(approval: Approval, public_url: str, sender: str, recipient: str, now: Epoch) -> EmailMessage:
    """The mail about a call that is held."""
    request = approval.request
    message = _mail(approval, public_url, sender, recipient, now, f"{_BEGIN}\n{statement_text(request)}\n{_END}")
    if is_statement_of(shown_text(message), request):
        return message
    return _mail(approval, public_url, sender, recipient, now, NOT_SHOWN)


def alert_mail(alert: Alert, public_url: str, sender: str, recipient: str, now: Epoch) -> EmailMessage:
    """The mail about refusals."""
    lines = (alert_headline(alert), alert_explanation(alert), "", f"Look: {decision_url(public_url, alert)}", "")
    envelope = (f"Refused: {alert_headline(alert)}", f"{alert.id}.alert", sender, recipient, now)
    return _message(*envelope, "\n".join(lines))


def shown_text(message: EmailMessage) -> str:
    """The call as the mail shows it: what stands between its two marks, "" where they are not there once."""
    content = str(message.get_content()).replace("\r\n", "\n")
    if content.count(f"{_BEGIN}\n") != 1 or content.count(f"\n{_END}") != 1:
        return ""
    return content.partition(f"{_BEGIN}\n")[2].partition(f"\n{_END}")[0]


def _mail(approval: Approval, public_url: str, sender: str, recipient: str, now: Epoch, call: str) -> EmailMessage:
    request = approval.request
    lines = (headline(request), explanation(request), "", call, "", f"Decide: {page_url(public_url, request)}", "")
    envelope = (f"Approval needed: {headline(request)}", f"{request.id}.held", sender, recipient, now)
    return _message(*envelope, "\n".join(lines))


def _message(subject: str, name: str, sender: str, recipient: str, now: Epoch, content: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = sender, recipient
    message["Subject"] = subject[:_MOST_SUBJECT]
    message["Date"] = formatdate(now)
    message["Message-ID"] = f"<{name}@{sender.partition('@')[2] or 'aegis'}>"  # twice the same is one
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(content, charset="us-ascii", cte="quoted-printable")
    return message

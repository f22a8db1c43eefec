"""Mail over SMTP (RFC 5321), with STARTTLS (RFC 3207) wherever the server is not on this machine."""

from __future__ import annotations

import asyncio
import re
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage

from aegis_authz.core.address import says_loopback
from aegis_authz.core.approval import Approval
from aegis_authz.core.notice import Notice
from aegis_authz.notices.mail import mail
from aegis_authz.ports.data_plane import Clock
from aegis_authz.ports.notices import ChannelFault

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,180}[A-Za-z0-9])?")
_SECONDS = 5.0
_PERMANENT = 500


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in and from whom it is. `user` is "" where the server wants none."""

    host: str
    port: int
    sender: str
    user: str
    password: str = field(repr=False)


class MailChannel:
    """`ports.Channel` for places such as `email:finance@acme.example`."""

    def __init__(self, server: MailServer, public_url: str, clock: Clock) -> None:
        self._server = server
        self._public_url = public_url
        self._clock = clock

    @property
    def tells_outcomes(self) -> bool:
        """A second mail would be noise: the page says how the call stands."""
        return False

    async def deliver(self, notice: Notice, approval: Approval) -> str:
        """Hand the mail in."""
        if _ADDRESS.fullmatch(notice.address) is None:  # no reader of headers gets what it may stumble over
            raise ChannelFault(f"{notice.place} is no address of mail", is_final=True)
        message = mail(approval, self._public_url, self._server.sender, notice.address, self._clock.now())
        await asyncio.to_thread(self._send, message)
        return ""

    async def close(self) -> None:
        """Nothing stays open between two mails."""

    def _send(self, message: EmailMessage) -> None:
        server = self._server
        try:
            with smtplib.SMTP(server.host, server.port, timeout=_SECONDS) as session:
                if not says_loopback(server.host):
                    session.starttls(context=ssl.create_default_context())
                if server.user:
                    session.login(server.user, server.password)
                session.send_message(message)
        except smtplib.SMTPRecipientsRefused as fault:
            codes = [code for code, _ in fault.recipients.values()]
            raise ChannelFault(f"the server refuses the recipient: {codes[0]}", is_final=_is_final(codes[0])) from None
        except smtplib.SMTPResponseException as fault:
            is_final = _is_final(fault.smtp_code)
            raise ChannelFault(f"the server answered {fault.smtp_code}", is_final=is_final) from None
        except (smtplib.SMTPException, OSError, ValueError) as fault:
            raise ChannelFault(f"cannot be handed in: {type(fault).__name__}", is_final=False) from None


def _is_final(code: int) -> bool:
    return code >= _PERMANENT

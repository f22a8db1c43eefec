"""Mail over SMTP (RFC 5321), with STARTTLS (RFC 3207) wherever the server is not on this machine."""

from __future__ import annotations

import asyncio
import re
import smtplib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from threading import Lock

from aegis_authz.core.address import says_loopback
from aegis_authz.core.alert import Alert
from aegis_authz.core.approval import Approval
from aegis_authz.core.notice import Notice
from aegis_authz.notices.mail import alert_mail, mail
from aegis_authz.ports.data_plane import Clock
from aegis_authz.ports.notices import ChannelFault

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,180}[A-Za-z0-9])?")
_SECONDS = 5.0
_PERMANENT = 500
_MOST_AT_ONCE = 2


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
        # threads of its own: a server that answers a byte now and then must not take those of all others
        self._threads = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="aegis-mail")
        self._under_way: set[_Session] = set()

    @property
    def tells_outcomes(self) -> bool:
        """A second mail would be noise: the page says how the call stands."""
        return False

    async def deliver(self, notice: Notice, approval: Approval) -> str:
        """Hand the mail in."""
        address, sender = _address(notice), self._server.sender
        return await self._hand_in(mail(approval, self._public_url, sender, address, self._clock.now()))

    async def deliver_alert(self, notice: Notice, alert: Alert) -> str:
        """Hand the mail in."""
        address, sender = _address(notice), self._server.sender
        return await self._hand_in(alert_mail(alert, self._public_url, sender, address, self._clock.now()))

    async def _hand_in(self, message: EmailMessage) -> str:
        if len(self._under_way) >= _MOST_AT_ONCE:
            raise ChannelFault("mails from before are under way still", is_final=False)
        mailing = _Session()
        self._under_way.add(mailing)
        sending = asyncio.get_running_loop().run_in_executor(self._threads, self._send, message, mailing)
        sending.add_done_callback(lambda _: self._under_way.discard(mailing))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            mailing.abort()
            sending.add_done_callback(_heard)
            raise
        return ""

    async def close(self) -> None:
        """Break off what is under way."""
        for mailing in self._under_way:
            mailing.abort()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, message: EmailMessage, mailing: _Session) -> None:
        server = self._server
        try:
            with smtplib.SMTP(server.host, server.port, timeout=_SECONDS) as session:
                mailing.begin(session)
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


def _address(notice: Notice) -> str:
    if _ADDRESS.fullmatch(notice.address) is None:  # no reader of headers gets what it may stumble over
        raise ChannelFault(f"{notice.place} is no address of mail", is_final=True)
    return notice.address


def _heard(sending: asyncio.Future[None]) -> None:
    """Nobody waits for it any more: its fault is that it took too long."""
    if not sending.cancelled():
        sending.exception()


class _Session:
    """A mail under way, which can be broken off from another thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_over = False
        self._session: smtplib.SMTP | None = None

    def begin(self, session: smtplib.SMTP) -> None:
        """Raises OSError for one that was broken off."""
        with self._lock:
            if self._is_over:
                raise OSError("broken off")
            self._session = session

    def abort(self) -> None:
        """Whatever its thread waits for ends now."""
        with self._lock:
            self._is_over = True
            connection = None if self._session is None else self._session.sock
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _is_final(code: int) -> bool:
    return code >= _PERMANENT

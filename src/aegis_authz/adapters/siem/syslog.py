"""Syslog (RFC 5424) over TLS (RFC 5425) or, on loopback, TCP (RFC 6587), framed by octet counting.

Syslog has no acknowledgement: an event counts as delivered when the kernel of the receiver has acknowledged its bytes
and the connection still stands. What a receiver loses after that, nobody learns.
"""

from __future__ import annotations

import fcntl
import socket
import ssl
import struct
import termios
import time
from collections.abc import Callable, Sequence

from aegis_authz.ports.receiver import DeliveryFault, OutgoingEvent
from aegis_authz.siem.moment import iso_time

_SECONDS = 10.0
_LOOK_EVERY = 0.01
_LOG_AUDIT = 13
_MOST = 64 * 1024
"""Bytes of a message; RFC 5425 asks receivers for 8192 and leaves more to them."""
_BOM = b"\xef\xbb\xbf"


class Syslog:
    """Messages to `host`:`port`, in the name of `hostname`. `tls` is None for plain TCP."""

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        hostname: str,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host, self._port, self._tls = host, port, tls
        self._hostname = hostname.encode("ascii", "replace")[:255] or b"-"
        self._sleep, self._clock = sleep, clock
        self._connection: socket.socket | None = None

    def deliver(self, events: Sequence[OutgoingEvent]) -> None:
        """Send all of them and wait until they have arrived. Raises DeliveryFault."""
        frames = b"".join(self._frame(event) for event in events)
        try:
            connection = self._connected()
            connection.settimeout(_SECONDS)
            connection.sendall(frames)
            self._await_arrival(connection)
        except (OSError, ssl.SSLError) as fault:
            self.close()
            raise DeliveryFault(f"cannot be reached: {type(fault).__name__}", is_final=False) from None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> socket.socket:
        if self._connection is not None and _is_closed(self._connection):
            self.close()
        if self._connection is None:
            plain = socket.create_connection((self._host, self._port), timeout=_SECONDS)
            try:
                self._connection = (
                    plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=self._host)
                )
            except BaseException:
                plain.close()
                raise
        return self._connection

    def _await_arrival(self, connection: socket.socket) -> None:
        give_up = self._clock() + _SECONDS
        while struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]:
            if self._clock() >= give_up:
                raise TimeoutError
            self._sleep(_LOOK_EVERY)
        if _is_closed(connection):
            raise ConnectionResetError

    def _frame(self, event: OutgoingEvent) -> bytes:
        priority = _LOG_AUDIT * 8 + event.severity
        head = f"<{priority}>1 {iso_time(event.time)} ".encode() + self._hostname
        message = head + b" aegis - " + event.kind.encode("ascii") + b" - " + _BOM + event.text.encode("utf-8")
        if len(message) > _MOST:
            raise DeliveryFault(f"event {event.id} is longer than {_MOST} bytes", is_final=True)
        return b"%d " % len(message) + message


def _is_closed(connection: socket.socket) -> bool:
    """Whether the other side has ended the connection. A receiver of syslog sends nothing of its own."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
    except OSError:
        return True
    finally:
        connection.setblocking(True)

"""CONNECT through the signer: a tunnel to the mesh that this agent's key opened.

What passes it is encrypted between the program and the mesh, so the signer proves the CONNECT and nothing inside; the
mesh takes that proof for the requests of this one tunnel, as long as the token lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from urllib.parse import urlsplit

from aegis_authz.agent.mesh import MeshCaller
from aegis_authz.agent.peers import owner_of
from aegis_authz.agent.refusals import Cause, Unforwarded, local_answer
from aegis_authz.agent.tokens import TokenFault

_MOST_HEAD = 65_536
_HEAD_SECONDS, _CONNECT_SECONDS, _ANSWER_SECONDS = 10.0, 10.0, 30.0
_LAST_SECONDS = 1.0
_CHUNK = 65_536
_END = b"\r\n\r\n"
_MOST_TOLD = 256
_TRUST = 'eval "$(aegis ca env)"'


class Handshake:
    """What is seen of a TLS handshake from outside: whether the client gave it up once it was shown a certificate.

    A client that goes on answers with a Finished at least, 58 bytes of TLS 1.3; one that does not, with an alert of up
    to 30, or with nothing (RFC 8446, sections 4.4.4 and 6).
    """

    _FINISHED = 58
    _RECORD = 0x16

    def __init__(self) -> None:
        self._is_tls = False
        self._is_answered = False
        self._is_shown = False
        self._answered = 0

    def from_client(self, chunk: bytes) -> None:
        """What the client sent."""
        if self._is_shown:
            self._answered += len(chunk)
        elif chunk[0] == self._RECORD:
            self._is_tls = True

    def from_mesh(self, chunk: bytes) -> None:
        """What it got: a certificate, unless the first of it is an alert."""
        if not self._is_answered:
            self._is_answered = True
            self._is_shown = self._is_tls and chunk[0] == self._RECORD

    @property
    def is_given_up(self) -> bool:
        """Whether the client ended it; asked when the tunnel is over."""
        return self._is_shown and self._answered < self._FINISHED


class Tunnels:
    """Opens tunnels for the agent's programs. `uid` is whose processes may; root may as well.

    `report` is told, once a host, of programs that do not take the certificate they are shown.
    """

    def __init__(self, caller: MeshCaller, uid: int, report: Callable[[str], None]) -> None:
        self._caller = caller
        self._uid = uid
        self._report = report
        self._distrusted: set[str] = set()
        self._open: dict[asyncio.Task[None], StreamWriter] = {}

    async def __call__(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one connection that begins with CONNECT."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served in a task of its own")
        self._open[task] = writer
        try:
            await self._served(reader, writer)
        finally:
            del self._open[task]

    async def end(self) -> None:
        """Let the tunnels of a program that is over end, for a moment, and cut those that are left."""
        if self._open:
            await asyncio.wait(self._open, timeout=_LAST_SECONDS)
        for writer in self._open.values():
            writer.transport.abort()
        if self._open:
            await asyncio.wait(self._open, timeout=_LAST_SECONDS)

    async def _served(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            try:
                target = await self._target(reader, writer)
                mesh_reader, mesh_writer = await self._opened(target)
            except Unforwarded as refused:
                writer.write(_refusal(refused))
                await writer.drain()
                return
            handshake = Handshake()
            await _spliced(reader, writer, mesh_reader, mesh_writer, handshake)
            self._tell(target, handshake)
        except OSError:
            return  # one of the two is gone, and with it the tunnel
        finally:
            writer.close()

    def _tell(self, target: str, handshake: Handshake) -> None:
        if handshake.is_given_up and target not in self._distrusted and len(self._distrusted) < _MOST_TOLD:
            self._distrusted.add(target)
            self._report(
                f"a program ended its handshake with {target} when it was shown a certificate: it may not trust the "
                f"mesh's authority; it is told of it by aegis agent run, and by: {_TRUST}"
            )

    async def _target(self, reader: StreamReader, writer: StreamWriter) -> str:
        peer, own = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
        if isinstance(peer, tuple) and owner_of(peer[:2], own[:2]) not in (0, self._uid):
            raise Unforwarded(Cause.CALLER_FOREIGN, "Only processes of the user whose agent this is may call here.")
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await reader.readuntil(_END)
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise Unforwarded(Cause.NOT_A_CALL, "The head of the CONNECT does not end.") from None
        words = head.split(b"\r\n", 1)[0].split(b" ")
        target = words[1].decode("latin-1") if len(words) == 3 else ""
        host, colon, port = target.rpartition(":")
        if not host or not colon or not port.isascii() or not port.isdecimal() or not target.isprintable():
            raise Unforwarded(Cause.NOT_A_CALL, "A CONNECT names a host and a port.")
        return target

    async def _opened(self, target: str) -> tuple[StreamReader, StreamWriter]:
        """A connection to the mesh on which CONNECT was sent."""
        try:
            headers = await self._caller.tunnel_headers(target)
        except TokenFault as fault:
            raise Unforwarded(Cause.TOKEN_UNAVAILABLE, f"Not sent: {fault}. It may be repeated later.") from None
        except ValueError:
            raise Unforwarded(Cause.NOT_A_CALL, "A CONNECT names a host and a port.") from None
        where = urlsplit(self._caller.mesh.proxy)
        encryption = ssl.create_default_context() if where.scheme == "https" else None
        port = where.port or (443 if encryption else 80)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(where.hostname, port, ssl=encryption, limit=_MOST_HEAD)
        except (OSError, TimeoutError) as fault:
            why = str(fault) or type(fault).__name__
            raise Unforwarded(Cause.MESH_UNREACHABLE, f"The mesh at {self._caller.mesh.proxy}: {why}.") from None
        lines = (
            f"CONNECT {target} HTTP/1.1",
            f"host: {target}",
            *(f"{key}: {value}" for key, value in headers.items()),
        )
        writer.write("\r\n".join((*lines, "", "")).encode("latin-1"))
        return reader, writer


async def _spliced(
    reader: StreamReader,
    writer: StreamWriter,
    mesh_reader: StreamReader,
    mesh_writer: StreamWriter,
    handshake: Handshake,
) -> None:
    """Pass everything on, the mesh's answer to the CONNECT first, until both sides have ended or one is gone."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            writer.write(await mesh_reader.readuntil(_END))
        await _both_ways(reader, writer, mesh_reader, mesh_writer, handshake)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        writer.transport.abort()  # cut is not the same as over
    finally:
        mesh_writer.close()
        with contextlib.suppress(OSError):
            await mesh_writer.wait_closed()


async def _both_ways(
    reader: StreamReader,
    writer: StreamWriter,
    mesh_reader: StreamReader,
    mesh_writer: StreamWriter,
    handshake: Handshake,
) -> None:
    """Raises OSError when one of the two is gone."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_passed_on(reader, mesh_writer, handshake.from_client))
            group.create_task(_passed_on(mesh_reader, writer, handshake.from_mesh))
    except* OSError as faults:
        raise ConnectionError("a side of the tunnel is gone") from faults


async def _passed_on(reader: StreamReader, writer: StreamWriter, seen: Callable[[bytes], None]) -> None:
    while chunk := await reader.read(_CHUNK):
        seen(chunk)
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()


def _refusal(refused: Unforwarded) -> bytes:
    answer = local_answer(refused, b"")
    head = (
        f"HTTP/1.1 {answer.status} {refused.cause.name}",
        "x-aegis-decision: deny",
        f"content-type: {answer.content_type}",
        f"content-length: {len(answer.body)}",
        "connection: close",
    )
    return "\r\n".join((*head, "", "")).encode("ascii") + answer.body

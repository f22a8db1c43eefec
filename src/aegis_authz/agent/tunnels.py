"""CONNECT through the signer: a tunnel to the mesh that this agent's key opened.

What passes it is encrypted between the program and the mesh, so the signer proves the CONNECT and nothing inside; the
mesh takes that proof for the requests of this one tunnel, as long as the token lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from asyncio import StreamReader, StreamWriter
from urllib.parse import urlsplit

from aegis_authz.agent.mesh import MeshCaller
from aegis_authz.agent.peers import owner_of
from aegis_authz.agent.refusals import Cause, Unforwarded, local_answer
from aegis_authz.agent.tokens import TokenFault

_MOST_HEAD = 65_536
_HEAD_SECONDS, _CONNECT_SECONDS, _ANSWER_SECONDS = 10.0, 10.0, 30.0
_CHUNK = 65_536
_END = b"\r\n\r\n"


class Tunnels:
    """Opens tunnels for the agent's programs. `uid` is whose processes may; root may as well."""

    def __init__(self, caller: MeshCaller, uid: int) -> None:
        self._caller = caller
        self._uid = uid

    async def __call__(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one connection that begins with CONNECT."""
        try:
            try:
                target = await self._target(reader, writer)
                mesh_reader, mesh_writer = await self._opened(target)
            except Unforwarded as refused:
                writer.write(_refusal(refused))
                await writer.drain()
                return
            await _spliced(reader, writer, mesh_reader, mesh_writer)
        except OSError:
            return  # one of the two is gone, and with it the tunnel
        finally:
            writer.close()

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
    reader: StreamReader, writer: StreamWriter, mesh_reader: StreamReader, mesh_writer: StreamWriter
) -> None:
    """Pass everything on, the mesh's answer to the CONNECT first, until both sides have ended or one is gone."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            writer.write(await mesh_reader.readuntil(_END))
        await _both_ways(reader, writer, mesh_reader, mesh_writer)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        writer.transport.abort()  # cut is not the same as over
    finally:
        mesh_writer.close()
        with contextlib.suppress(OSError):
            await mesh_writer.wait_closed()


async def _both_ways(
    reader: StreamReader, writer: StreamWriter, mesh_reader: StreamReader, mesh_writer: StreamWriter
) -> None:
    """Raises OSError when one of the two is gone."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_passed_on(reader, mesh_writer))
            group.create_task(_passed_on(mesh_reader, writer))
    except* OSError as faults:
        raise ConnectionError("a side of the tunnel is gone") from faults


async def _passed_on(reader: StreamReader, writer: StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
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

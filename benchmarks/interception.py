"""`python -m benchmarks.interception`: what it costs to open HTTPS, in handshakes a second, on a real Envoy.

Tunnels are opened one after another or some at once, by a client in this process, before an authorizer that allows
all; the service of certificates is here, too. `--write` puts the table into docs/https.md.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import grpc
import uvloop

import aegis_authz.proxy  # noqa: F401  # first: it imports Envoy's types, here where it is quiet
from aegis_authz.config.proxy import InterceptionSettings, ProxySettings
from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.units import Epoch, Monotonic
from aegis_authz.intercept.authority import Authority, new_authority
from aegis_authz.intercept.leaves import Allowance, Leaves
from aegis_authz.local.settings import trusted_authorities
from aegis_authz.local.tcp_ports import choose_ports
from aegis_authz.proxy.bootstrap import bootstrap
from aegis_authz.proxy.render import write_xds
from aegis_authz.server.certificates import CertificateService
from benchmarks.measure.bare_envoy import envoy_running
from benchmarks.measure.processes import process
from benchmarks.report.pages import write_page

PAGE = Path(__file__).parent.parent / "docs" / "https.md"
TUNNELS = 400
"""Of each line."""
AT_ONCE = 8
HOST, UNCLAIMED = "api.bench.example", "free.bench.example"
START, END = "<!-- handshakes -->", "<!-- /handshakes -->"
_MOST_NAMES = 100_000
_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Line:
    """What was opened, how often in a second, and how long one of them took by the median, in seconds."""

    sentence: str
    rate: float
    median: float


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens tunnels through an Envoy at a port of loopback."""

    port: int
    trusting: ssl.SSLContext

    async def open(self, host: str, *, shakes_hands: bool) -> float:
        """Open a tunnel to a host and close it; the seconds that took. Raises OSError, ValueError for a refusal."""
        began = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.partition(b"\r\n")[0]:
                raise ValueError(f"a CONNECT to {host} was answered {head!r}")
            if shakes_hands:
                await writer.start_tls(self.trusting, server_hostname=host)
            return time.perf_counter() - began
        finally:
            writer.transport.abort()


class _Clock:
    def now(self) -> Epoch:
        return Epoch(time.time())

    def monotonic(self) -> Monotonic:
        return Monotonic(time.monotonic())


@asynccontextmanager
async def opener(folder: Path) -> AsyncIterator[Opener]:
    """An Envoy that opens HTTPS, with all it asks, while the block lasts. Raises ServerMissing, OSError."""
    authority, certificates = new_authority(Epoch(time.time())), f"unix:{folder / 'certs.sock'}"
    settings = ProxySettings(
        forward_port=choose_ports({"front": 0}, {})["front"],
        reverse_port=0,
        admin_socket=str(folder / "admin.sock"),
        authz=(f"unix:{folder / 'authz.sock'}",),
        xds=folder / "xds",
        access_log=folder / "access.log",
        ca_file=trusted_authorities(),
        interception=InterceptionSettings(certificates=certificates),
    )
    catalogue = Catalogue.of((Tool("bench", HOST, None, "", (), "", "", None, False, False, NO_INTERFACE),))
    write_xds(settings, catalogue)
    start = bootstrap(settings)
    for cluster in start.static_resources.clusters if start.static_resources is not None else ():
        cluster.health_checks, cluster.outlier_detection = [], None  # the one that allows all answers neither
    noop = (sys.executable, "-m", "benchmarks.contenders.noop_grpc", settings.authz[0])
    async with (
        process(noop, folder / "authz.log", {}),
        _certificates(certificates, authority),
        envoy_running(folder, start, settings.admin_socket),
    ):
        trusting = ssl.create_default_context(cadata=authority.certificate.decode("ascii"))
        tunnels = Opener(settings.forward_port, trusting)
        await _until_open(tunnels)
        yield tunnels


@asynccontextmanager
async def _certificates(place: str, authority: Authority) -> AsyncIterator[None]:
    leaves = Leaves(_MOST_NAMES)
    service = CertificateService(lambda: authority, leaves, Allowance(_MOST_NAMES, _MOST_NAMES), _Clock())
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((service.handler,))
    server.add_insecure_port(place)
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


async def _until_open(tunnels: Opener) -> None:
    async with asyncio.timeout(_PATIENCE):
        while True:
            try:
                await tunnels.open(HOST, shakes_hands=True)
                await tunnels.open(UNCLAIMED, shakes_hands=True)
            except (OSError, ValueError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.1)  # the authorizer is another process, and says nothing by itself
            else:
                return


async def measure(tunnels: Opener, number: int) -> list[Line]:
    """Open so many tunnels for each line. Raises OSError, ValueError."""
    fresh = (f"n{place}.bench.example" for place in count())
    same, unclaimed = _always(HOST), _always(UNCLAIMED)
    return [
        await _line("a `CONNECT` alone", tunnels, same, number, shakes_hands=False),
        await _line("and a handshake, host of the catalogue", tunnels, same, number),
        await _line(f"the same, {AT_ONCE} at once", tunnels, same, number, at_once=AT_ONCE),
        await _line("and a handshake, a host that no tool claims, its leaf made before", tunnels, unclaimed, number),
        await _line("the same, its leaf made now", tunnels, fresh, number),
    ]


def _always(host: str) -> Iterator[str]:
    while True:
        yield host


async def _line(
    sentence: str, tunnels: Opener, hosts: Iterator[str], number: int, *, at_once: int = 1, shakes_hands: bool = True
) -> Line:
    async def some() -> list[float]:
        return [await tunnels.open(next(hosts), shakes_hands=shakes_hands) for _ in range(number // at_once)]

    began = time.perf_counter()
    times = [seconds for each in await asyncio.gather(*(some() for _ in range(at_once))) for seconds in each]
    return Line(sentence, len(times) / (time.perf_counter() - began), statistics.median(times))


def leaf_microseconds(number: int) -> tuple[float, float]:
    """What a leaf costs that is made, and one that was made before: microseconds, the median of so many."""
    now = Epoch(time.time())
    authority, leaves = new_authority(now), Leaves(number)

    def seconds() -> Iterable[float]:
        for place in range(number):
            began = time.perf_counter()
            leaves.leaf(authority, f"n{place}.bench.example", now)
            yield time.perf_counter() - began

    return statistics.median(seconds()) * 1e6, statistics.median(seconds()) * 1e6


def table(lines: Iterable[Line], leaf: tuple[float, float]) -> str:
    """The figures as Markdown."""
    rows = [f"| {line.sentence} | {line.rate:.0f} | {line.median * 1000:.1f} ms |" for line in lines]
    made, before = leaf
    note = f"A leaf is made in {made:.0f} µs; one that was made before is found in {before:.1f} µs."
    return "\n".join(("| what is opened | a second | median |", "|---|---|---|", *rows, "", note))


async def _run(number: int) -> str:
    with tempfile.TemporaryDirectory(prefix="aegis-") as name:  # short: it holds unix sockets
        async with opener(Path(name)) as tunnels:
            return table(await measure(tunnels, number), leaf_microseconds(number))


def main() -> None:
    """Measure; print the table, or write it into the page."""
    parser = argparse.ArgumentParser(prog="benchmarks.interception", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tunnels", type=int, default=TUNNELS, help=f"of each line (default: {TUNNELS})")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    arguments = parser.parse_args()
    text = uvloop.run(_run(arguments.tunnels))
    if arguments.write:
        write_page(PAGE, START, END, text)
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()

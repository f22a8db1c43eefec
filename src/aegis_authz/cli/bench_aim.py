"""What `aegis bench` loads, from what was asked on the command line."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from aegis_authz.commands.faults import Unable, unable_on
from aegis_authz.core.address import says_loopback
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.load.calls import DENIED, Call, Due, Signer, mixed
from aegis_authz.load.stages import Aim, Stage, Stages, Wish
from aegis_authz.load.tokens import NoTokens, SignedTokens, Tokens, mesh_signer, read_key, read_tokens
from aegis_authz.load.tool import tool_at
from aegis_authz.load.vegeta import attack
from aegis_authz.local.mesh_facts import MeshNotRunning, read_facts
from aegis_authz.local.proof import PROBER

_DOCTORS_TOOL = "doctor.aegis.internal"
_WITHIN, _ABOVE = b'{"amount":10}', b'{"amount":1000}'


class BadBench(Unable):
    """What was asked makes no load; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The agent that calls, as asked for; "" for what was not said."""

    org: str
    tenant: str
    agent: str

    @property
    def is_named(self) -> bool:
        """Whether anything of it was said."""
        return bool(self.org or self.tenant or self.agent)


@dataclass(frozen=True, slots=True)
class BenchAim:
    """The options of the command line that say what is loaded."""

    url: str
    state: Path
    host: str
    path: str
    method: str
    body: str
    caller: Caller
    key: Path | None
    issuer: str
    audience: str
    tokens: Path | None
    expect: int
    allow_remote: bool

    @property
    def names_a_call(self) -> bool:
        """Whether the user has a call in mind, rather than that of the doctor."""
        return bool(self.url or self.host or self.path or self.body or self.key or self.tokens or self.caller.is_named)


@dataclass(frozen=True, slots=True)
class BenchLoad:
    """What to load, and the port of the tool to serve meanwhile, 0 for none."""

    aim: Aim
    tool_port: int


@unable_on(NoTokens, MeshNotRunning)
def aim_at(options: BenchAim) -> BenchLoad:
    """Find the server, the calls and the tokens. Raises Unable."""
    if not options.names_a_call:
        return _doctors_call(options.state)
    if options.url:
        url = _checked(options.url, options.allow_remote)
        base, in_url = f"{url.scheme}://{url.netloc}", url.path + (f"?{url.query}" if url.query else "")
    else:
        base, in_url = read_facts(options.state).proxy, ""
    if options.path and in_url not in ("", "/"):
        raise BadBench(f"the path is given twice: {in_url} in the URL and {options.path} by --path")
    path = options.path or in_url or "/"
    if not path.startswith("/") or "#" in path:
        raise BadBench(f"{path!r} is no path: it begins with a slash and has no fragment")
    headers = {"Content-Type": "application/json"} if options.body else {}
    call = Call(path, Due(options.expect), options.method, options.host, options.body.encode(), headers)
    return BenchLoad(Aim(base, [call], _tokens(options)), 0)


async def load(vegeta: Path, bench_load: BenchLoad, wish: Wish, say: Callable[[str], None]) -> list[Stage]:
    """Play the stages, the tool served meanwhile; SIGTERM cancels it, as Ctrl-C does.

    Raises ToolPortTaken and what `Stages.play` raises.
    """
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with AsyncExitStack() as stack:
        if bench_load.tool_port:
            await stack.enter_async_context(tool_at(bench_load.tool_port))
        return await Stages(partial(attack, vegeta), bench_load.aim, say).play(wish)


def _doctors_call(state: Path) -> BenchLoad:
    facts = read_facts(state)
    allowed = Call("/pay", host=_DOCTORS_TOOL, body=_WITHIN)
    denied = Call("/pay", DENIED, host=_DOCTORS_TOOL, body=_ABOVE)
    tokens = signed(state, PROBER)
    return BenchLoad(Aim(facts.proxy, mixed(allowed, denied), tokens), urlsplit(facts.probe).port or 0)


def _tokens(options: BenchAim) -> Tokens:
    caller = options.caller
    if options.tokens is not None:
        if caller.is_named or options.key is not None:
            raise BadBench("--tokens already says who calls: leave out --key, --org, --tenant and --agent")
        return read_tokens(options.tokens)
    if not (caller.org and caller.tenant and caller.agent):
        raise BadBench("say who calls: --org, --tenant and --agent, or --tokens")
    scope = Scope(caller.org, caller.tenant, caller.agent)
    if options.key is None:
        read_facts(options.state)
        return signed(options.state, scope)
    return _signed(Signer(read_key(options.key), options.issuer, options.audience, scope))


def signed(state: Path, scope: Scope) -> SignedTokens:
    """Tokens of an agent by the issuer of the mesh in this folder. Raises Unable."""
    return _signed(mesh_signer(state, scope))


def _signed(signer: Signer) -> SignedTokens:
    return SignedTokens(signer, lambda: Epoch(time.time()), lambda: secrets.token_hex(8))


def _checked(text: str, allow_remote: bool) -> SplitResult:
    try:
        url = urlsplit(text)
        name = url.hostname or ""
        _ = url.port
    except ValueError as fault:
        raise BadBench(f"{text} is no URL: {fault}") from None
    if url.scheme not in ("http", "https") or not name or url.username is not None or url.fragment:
        raise BadBench(f"{text} is no URL of a server: http://host:port/path")
    if not (allow_remote or says_loopback(name)):
        raise BadBench(f"{name} is not this machine; load it only if you may, with --allow-remote")
    return url

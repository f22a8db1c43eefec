"""What the agent sent, before anybody knows what it wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


def _none(_: str) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Tunnel:
    """What Envoy knows of the CONNECT by which a request came: its target (`host:port`), and the proof it showed, ""
    for none. The credential it showed stands among the request's headers.
    """

    target: str
    proof: str


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One HTTP request as Envoy showed it to us, decoded and nothing more.

    `headers` holds the headers some stage reads, names in lower case, each with every value it was sent with, in order;
    `values_of` gives those of any header by its name in lower case, read when it is asked.
    `host` is lower case without its port, `port` None when the request named none; `path` is without the query.
    `tool_hint` names the tool when a reverse route was entered, and `route` is the digest of where Envoy will forward
    the request, "" when it does not say; `listener` is the listener it came in by, "" where a gateway asks that is
    none of ours. All three come from Envoy's own configuration and never from the client. `principal` is the identity
    in the certificate the client proved, "" when it showed none; `over_tls` says that its connection to Envoy was
    encrypted. `source` is the address it came from, "" where Envoy names none; `over_socket` says that it came by a
    unix socket, which has none. `opens_tunnel` says that it is a CONNECT whose tunnel Envoy ends; `tunnel` is None
    but for a request inside one. `is_redirected` says that rules of a packet filter led it to the listener, which no
    client can dial. `is_unread` says that Envoy asks before it has the body: nothing is known of what follows.
    `is_question` says that it did not come by Envoy, but to the evaluation endpoint of a worker: the call that it is
    about stands in its body.
    """

    request_id: str
    method: str
    scheme: str
    host: str
    port: int | None
    path: str
    query: str
    headers: Mapping[str, tuple[str, ...]]
    body: bytes
    source: str
    tool_hint: str
    route: str
    listener: str
    principal: str
    over_tls: bool
    values_of: Callable[[str], tuple[str, ...]] = field(default=_none, repr=False, compare=False)
    over_socket: bool = False
    opens_tunnel: bool = False
    tunnel: Tunnel | None = None
    is_redirected: bool = False
    is_unread: bool = False
    is_question: bool = False

    def header(self, name: str) -> str | None:
        """The value of a header sent exactly once; None when it is absent or sent several times."""
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else None

"""docs/judged-is-forwarded.md, written from a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tests.differential.corpus import titles

HEAD = """\
# What is judged is what is forwarded

Two programs that read one request in two ways are how a gateway is got around: it judges one thing, and the tool does another
([decision](decisions/0005-judged-is-forwarded.md)). Each line below is a request as raw bytes, sent through the real Envoy as it is
rendered, judged by the real pipeline with a policy that allows whatever the catalogue claims, to tools on two servers: one strict (h11), one
that takes what it does not understand as it comes (Python's `http.server`); messages of gRPC to a third, on HTTP/2 (h2), whose bytes protobuf's own runtime reads.

**forwarded** means that it arrived, and that method, path, query, host, the headers that count and the SHA-256 of the body were those that were judged; and that
no reader (the last of two wins, the first wins, case does not matter) finds another value in a listed parameter. What a framework takes for another method,
path or caller (`x-http-method-override`, `x-original-url`, `forwarded`) is taken off on the way. Everything else was refused: with its reason, by Envoy before
anybody was asked, or by closing the connection.

HTTP/1.1 and HTTP/2 are plain on the proxy's listener, HTTPS is inside a tunnel that was opened by `CONNECT`. What rules of the packet filter lead to a
[transparent listener](intercept.md#the-listener), in the clear or in TLS, is answered as it is there, or closed where its first line is not taken for HTTP
([the comparison](../tests/differential/test_redirected.py)).
(Written by `make docs-judged` from [the requests](../tests/differential/requests/); a test compares.)

"""


def page_text(outcomes: Mapping[tuple[str, str], Mapping[str, str]]) -> str:
    parts = [HEAD, _totals(outcomes)]
    for family, title in titles().items():
        rows = [(sentence, ways) for (name, sentence), ways in outcomes.items() if name == family]
        parts.append(f"## {title}\n\n| request | HTTP/1.1 | HTTP/2 | HTTPS |\n|---|---|---|---|\n")
        parts += [
            f"| {_cell(sentence)} | {ways.get('http1', '')} | {ways.get('http2', '')} | {ways.get('https', '')} |\n"
            for sentence, ways in rows
        ]
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def _totals(outcomes: Mapping[tuple[str, str], Mapping[str, str]]) -> str:
    sendings = Counter(_kind(result) for ways in outcomes.values() for result in ways.values())
    words = ", ".join(f"{count} {kind}" for kind, count in sorted(sendings.items()))
    return f"{len(outcomes)} requests on {sendings.total()} ways: {words}.\n\n"


def _kind(result: str) -> str:
    if result == "forwarded":
        return result
    return "refused by us" if "`" in result else "refused by Envoy"


def _cell(sentence: str) -> str:
    return sentence.replace("|", "\\|")

"""What each protocol makes of a reason."""

from __future__ import annotations

import pytest

from aegis_authz.core.reason import REASONS, Reason
from aegis_authz.wire.status_codes import STATUS_CODES

OK = 0  # google.rpc.Code
GRPC_CODES = range(17)
RESERVED = range(-32768, -31999)  # JSON-RPC 2.0, section 5.1


def test_every_reason_has_exactly_one_row() -> None:
    assert list(STATUS_CODES) == list(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_the_codes_of_a_refusal_refuse_in_every_protocol(reason: Reason) -> None:
    codes = STATUS_CODES[reason]
    if REASONS[reason].effect.lets_through:
        assert (codes.grpc, codes.http) == (OK, 200)
        return
    assert codes.grpc in GRPC_CODES
    assert codes.grpc != OK
    assert 400 <= codes.http < 600
    assert codes.jsonrpc < 0
    # of the reserved codes one is the specification's own (MCP 2026-07-28, HeaderMismatch)
    assert (codes.jsonrpc in RESERVED) == (reason is Reason.HEADER_MISMATCH)
    assert reason is not Reason.HEADER_MISMATCH or codes.jsonrpc == -32020

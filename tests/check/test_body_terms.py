from __future__ import annotations

import pytest

from aegis_authz.check.body_terms import BodyTerms, read_terms
from aegis_authz.core.call import NO_RPC, Rpc, RpcShape
from aegis_authz.core.decision import FilterTools
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.bodies.coding import Decoding

GOOD = {
    "decision_id": "d-1",
    "obligations": '[{"kind":"filter_tools","allowed":["a"]}]',
    "rpc_id": "7",
    "rpc_method": "tools/list",
}


def test_terms_are_read_from_the_metadata_of_ext_authz() -> None:
    assert read_terms(GOOD) == BodyTerms("d-1", (FilterTools(("a",)),), Rpc(RpcShape.REQUEST, 7, "tools/list"), None)


def test_terms_say_how_a_body_is_decoded_and_what_must_come_out() -> None:
    assert read_terms({**GOOD, "coding": "br", "body_sha256": "0" * 64}).decoding == Decoding("br", "0" * 64)


@pytest.mark.parametrize(
    ("rpc_id", "method", "rpc"),
    [
        ("", "", NO_RPC),
        ('"7"', "tools/call", Rpc(RpcShape.CALL, "7", "tools/call")),
        ("", "notifications/initialized", Rpc(RpcShape.NOTIFICATION, None, "notifications/initialized")),
    ],
)
def test_the_shape_of_an_answer_follows_id_and_method(rpc_id: str, method: str, rpc: Rpc) -> None:
    assert read_terms({**GOOD, "rpc_id": rpc_id, "rpc_method": method}).rpc == rpc


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"decision_id": ""}, Reason.INTERNAL_FAULT),
        ({"obligations": "["}, Reason.INTERNAL_FAULT),
        ({"obligations": '[{"kind":"x","kind":"y"}]'}, Reason.INTERNAL_FAULT),
        ({"obligations": '[{"kind":"notify"}]'}, Reason.OBLIGATION_UNKNOWN),
        ({"rpc_id": "true"}, Reason.INTERNAL_FAULT),
        ({"rpc_id": "x"}, Reason.INTERNAL_FAULT),
        ({"coding": "gzip"}, Reason.INTERNAL_FAULT),
        ({"body_sha256": "0" * 64}, Reason.INTERNAL_FAULT),
        ({"coding": "GZIP", "body_sha256": "0" * 64}, Reason.INTERNAL_FAULT),
        ({"coding": "gzip", "body_sha256": "0" * 63}, Reason.INTERNAL_FAULT),
        ({"coding": "gzip", "body_sha256": "A" * 64}, Reason.INTERNAL_FAULT),
    ],
)
def test_terms_in_any_other_form_are_refused(change: dict[str, str], reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        read_terms({**GOOD, **change})
    assert refused.value.reason is reason


@pytest.mark.parametrize("missing", [*GOOD, None])
def test_a_body_never_passes_for_want_of_terms(missing: str | None) -> None:
    metadata = None if missing is None else {name: value for name, value in GOOD.items() if name != missing}
    with pytest.raises(Refused) as refused:
        read_terms(metadata)
    assert refused.value.reason is Reason.INTERNAL_FAULT

from __future__ import annotations

import json

import pytest
from envoy.service.ext_proc.v3 import external_processor_pb2 as pb

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.identity.session import unwrapped_id
from aegis_authz.server.session_heads import SessionHeads
from aegis_authz.wire.envoy.ext_proc import METADATA_NAMESPACE, read_piece
from tests.support.session_keys import StillSessionKeys

TERMS = {"decision_id": "d-1", "session_owner": "o", "rpc_id": "7", "rpc_method": "initialize"}
ID = "mcp-session-id"


def head(*ids: str, mode: int = 0, observed: bool = False, target: str = "response", **terms: str) -> bytes:
    message = pb.ProcessingRequest(observability_mode=observed)
    part = getattr(message, f"{target}_headers")
    part.SetInParent()
    for value in ids:
        part.headers.headers.add(key=ID, raw_value=value.encode("latin-1"))
    message.protocol_config.response_body_mode = mode
    fields = message.metadata_context.filter_metadata[METADATA_NAMESPACE].fields
    for name, value in terms.items():
        fields[name].string_value = value
    return bytes(message.SerializeToString())


def answer(message: bytes, keys: StillSessionKeys | None = None) -> pb.ProcessingResponse:
    return pb.ProcessingResponse.FromString(SessionHeads(keys or StillSessionKeys()).reply(read_piece(message)))


def test_the_id_of_a_session_that_opens_is_wrapped_for_its_owner() -> None:
    mutation = answer(head("raw.1", **TERMS)).response_headers.response.header_mutation
    (option,) = mutation.set_headers
    assert option.header.key == ID
    assert unwrapped_id(option.header.raw_value.decode(), "o", StillSessionKeys().session_keys()) == "raw.1"


@pytest.mark.parametrize("ids", [("",), ("a b",), ("\xe4",), ("a", "b"), (), ("x" * 2000,)])
def test_an_answer_whose_session_cannot_be_bound_does_not_pass(ids: tuple[str, ...]) -> None:
    refusal = answer(head(*ids, **TERMS)).immediate_response
    error = json.loads(refusal.body)
    assert (refusal.status.code, error["id"], error["error"]["code"]) == (200, 7, -31502)


@pytest.mark.parametrize("missing", sorted(TERMS))
def test_nothing_passes_for_want_of_terms(missing: str) -> None:
    terms = {name: value for name, value in TERMS.items() if name != missing}
    assert answer(head("raw", **terms)).immediate_response.status.code >= 500


def test_without_keys_no_session_opens() -> None:
    class NoKeys(StillSessionKeys):
        def session_keys(self) -> tuple[bytes, ...]:
            raise Refused(Reason.INTERNAL_FAULT, "gone")

    assert answer(head("raw", **TERMS), keys=NoKeys()).WhichOneof("response") == "immediate_response"

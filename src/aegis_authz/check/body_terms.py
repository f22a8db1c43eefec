"""What ext_authz decided for the bodies of a call, as it comes to the body processor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.call import NO_RPC, Rpc, RpcShape
from aegis_authz.core.decision import Obligation
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.wire.bodies.coding import CODINGS, Decoding
from aegis_authz.wire.mcp.request_state import STATE_CODING
from aegis_authz.wire.mcp.rpc import TOOLS_CALL
from aegis_authz.wire.mcp.session import OWNER_METADATA
from aegis_authz.wire.opa.obligations import obligations_from_data

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class BodyTerms:
    """The decision a body is processed under.

    `rpc` is the request's, NO_RPC when it was no JSON-RPC. `decoding` is None where the request's body came as it is.
    """

    decision_id: str
    obligations: tuple[Obligation, ...]
    rpc: Rpc
    decoding: Decoding | None


def read_terms(metadata: Mapping[str, str] | None) -> BodyTerms:
    """Read the dynamic metadata of ext_authz.

    Raises Refused with INTERNAL_FAULT when it is missing or not as ext_authz writes it, and with
    OBLIGATION_UNKNOWN for an obligation that is not known: a body never passes for want of terms.
    """
    if metadata is None:
        raise Refused(Reason.INTERNAL_FAULT, "the body came without metadata: see metadata_options of ext_proc")
    missing = [name for name in ("decision_id", "obligations", "rpc_id", "rpc_method") if name not in metadata]
    if missing or not metadata["decision_id"]:
        raise Refused(Reason.INTERNAL_FAULT, f"the metadata lacks {missing[0] if missing else 'a decision id'}")
    try:
        obligations = strict_json.parse(metadata["obligations"].encode("utf-8"))
        rpc = _rpc(metadata["rpc_id"], metadata["rpc_method"])
    except Refused:
        raise Refused(Reason.INTERNAL_FAULT, "the metadata is not readable") from None
    return BodyTerms(metadata["decision_id"], obligations_from_data(obligations), rpc, _decoding(metadata))


def read_session_terms(metadata: Mapping[str, str] | None) -> tuple[str, BodyTerms]:
    """Whom a session that opens belongs to, and what else is known of its call.

    Raises Refused(INTERNAL_FAULT) where ext_authz did not say all of it.
    """
    try:
        members = metadata or {}
        return members[OWNER_METADATA], BodyTerms(
            members["decision_id"], (), _rpc(members["rpc_id"], members["rpc_method"]), None
        )
    except KeyError as missing:
        raise Refused(Reason.INTERNAL_FAULT, f"the metadata lacks {missing}") from None


def _decoding(metadata: Mapping[str, str]) -> Decoding | None:
    coding, sha256 = metadata.get("coding"), metadata.get("body_sha256")
    if coding is None and sha256 is None:
        return None
    if coding is None or coding not in (*CODINGS, STATE_CODING) or sha256 is None or not _SHA256.fullmatch(sha256):
        raise Refused(Reason.INTERNAL_FAULT, "the metadata does not say how the body is decoded")
    return Decoding(coding, sha256)


def _rpc(identifier_text: str, method: str) -> Rpc:
    if not method:
        return NO_RPC
    if not identifier_text:
        return Rpc(RpcShape.NOTIFICATION, None, method)
    identifier = strict_json.parse(identifier_text.encode("utf-8"))
    if isinstance(identifier, bool) or not isinstance(identifier, str | int):
        raise Refused(Reason.INTERNAL_FAULT, "the JSON-RPC id is neither text nor number")
    return Rpc(RpcShape.CALL if method == TOOLS_CALL else RpcShape.REQUEST, identifier, method)

"""A decision record turned back into the question that policy was asked."""

from __future__ import annotations

from dataclasses import replace

from aegis_authz.core.call import CallKind, Rpc, RpcShape, ToolCall
from aegis_authz.core.circumstances import CONTEXT, session_name
from aegis_authz.core.decision import Evaluation
from aegis_authz.core.record import DECISION_VERSION, DecisionRecord
from aegis_authz.core.units import Digest, Epoch
from aegis_authz.wire.spellings import spellings


class NotJudged(Exception):
    """The record is of no call that policy could judge; the message says why and is fit to show."""


def replayed(record: DecisionRecord) -> Evaluation:
    """The question of a recorded call, all of which the record alone tells.

    It holds the parameters that the record holds, which `record.withheld` are missing from, and of the JSON-RPC
    message the method: nobody is answered. Raises NotJudged for a call that was refused before policy could be asked,
    and for a record of version 1 that `assumed` has not completed.
    """
    if record.identity is None:
        raise NotJudged(f"the call was refused with {record.reason.value} before it was known which agent makes it")
    if record.version == 1:
        raise NotJudged("the record is of version 1, which does not hold all that policy was asked")
    if record.kind is None:
        raise NotJudged(f"the call was refused with {record.reason.value} before it was known what it asks for")
    if record.sealed is not None:
        raise NotJudged(
            f"what the record holds is sealed for the key {record.sealed.key_id}: open it with that (--open)"
        )
    if record.whole_path is not None:
        raise NotJudged("the record holds the beginning of the path alone")
    grant = record.identity.grant
    if grant is not None and any(narrowing.tools is None for narrowing in grant.chain):
        raise NotJudged("the record holds of the grant neither tools nor values, as of the call not all parameters")
    call = ToolCall(
        kind=record.kind,
        tool=record.tool,
        action=record.action,
        parameters=record.parameters,
        declared=tuple(record.parameters),
        host=record.host,
        port=record.port,
        method=record.method,
        path=record.path,
        source=record.source,
        rpc=Rpc(RpcShape.NONE, None, record.rpc_method),
        digest=Digest(record.digest),
        content_type="",
        scheme=record.scheme,
        besides={},
        spellings=spellings(record.parameters),
        batch=0,
    )
    begins = record.rpc_method == "initialize"  # whatever session was shown, another one begins
    session = session_name(record.identity.session, "" if begins else record.mcp_session)
    return Evaluation(record.identity, call, Epoch(record.time), record.environment, session, CONTEXT, None)


def assumed(record: DecisionRecord, kind: CallKind) -> DecisionRecord:
    """A record of version 1 with an assumption for all it does not hold.

    The call is of that `kind` and came by https, with a token made for it, on behalf of nobody, in no environment.
    """
    identity = record.identity
    if identity is not None:
        identity = replace(identity, issued_at=Epoch(record.time), expires_at=Epoch(record.time))
    return replace(
        record,
        version=DECISION_VERSION,
        identity=identity,
        kind=kind,
        scheme="https",
        withheld=0,
        obligations=(),
        findings=(),
    )

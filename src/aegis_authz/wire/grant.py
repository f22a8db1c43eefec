"""The claim `grant`, read strictly and written: what a token narrows its agent to (docs/grants.md).

`{id, iat, exp, depth, tools}`, and where there are such, `calls`, `by`, which is the thumbprint of the key that asked
for it, and `within`, the grant that this one narrows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

import orjson

from aegis_authz.core.grant import ANY, MOST_NARROWINGS, Grant, Narrowing, Scalar, Tools, widening
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import NAME
from aegis_authz.core.units import Digest, Epoch
from aegis_authz.encoding.pointer import is_pointer, split

MOST_CALLS = 1_000_000
_NEEDS = {"id", "iat", "exp", "depth", "tools"}
_MEMBERS = _NEEDS | {"calls", "by", "within"}
_ID = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_MAX_TEXT = 256
_MOST_MEMBERS = 64
_DOMAIN = b"aegis-grant-v1\x00"

_Part = TypeVar("_Part")


def read_grant(claim: Json) -> Grant:
    """The grant of a token.

    Raises Refused(GRANT_UNSUPPORTED) for a member that is not known, Refused(GRANT_MALFORMED) for anything else that is
    not as docs/grants.md has it, a chain that is too long among it, and Refused(GRANT_WIDER) for a narrowing that is
    not inside the one it stands within.
    """
    chain: list[Narrowing] = []
    members: Mapping[str, Json] = {"within": claim}
    while "within" in members:
        if len(chain) == MOST_NARROWINGS:
            raise _malformed(f"more than {MOST_NARROWINGS} grants one in another")
        members = _object(members["within"], "a grant")
        if not members.keys() <= _MEMBERS:
            raise Refused(Reason.GRANT_UNSUPPORTED, "a grant has a member that is not known")
        if not members.keys() >= _NEEDS or members["tools"] is None:
            raise _malformed("a grant lacks a member")
        chain.insert(0, _narrowing(members))
    for parent, child in pairwise(chain):
        wider = widening(parent, child)
        if wider:
            raise Refused(Reason.GRANT_WIDER, f"wider than the grant it is within: {wider}")
    return grant_of(chain)


def grant_of(chain: Sequence[Narrowing]) -> Grant:
    """The grant of these narrowings, the widest first, with its digest."""
    text = orjson.dumps(claim_of(chain), option=orjson.OPT_SORT_KEYS)
    return Grant(Digest(hashlib.sha256(_DOMAIN + text).hexdigest()), tuple(chain))


def claim_of(chain: Sequence[Narrowing]) -> dict[str, Json]:
    """The claim of a chain of narrowings. Raises ValueError for none, or one whose tools are not known."""
    claim: dict[str, Json] = {}
    for narrowing in chain:
        link = narrowing_to_data(narrowing)
        if link["tools"] is None:
            raise ValueError("the tools of the grant are not known")
        if narrowing.calls is None:
            del link["calls"]
        if narrowing.by:
            link["by"] = narrowing.by
        claim = {**link, "within": claim} if claim else link
    if not claim:
        raise ValueError("a grant without a narrowing")
    return claim


def narrowing_to_data(narrowing: Narrowing) -> dict[str, Json]:
    """One narrowing as JSON values, by itself and without who asked for it.

    null where there is no count, and where its tools are not known.
    """
    return {
        "id": narrowing.id,
        "iat": narrowing.issued_at,
        "exp": int(narrowing.expires_at),
        "depth": narrowing.depth,
        "calls": narrowing.calls,
        "tools": None if narrowing.tools is None else tools_to_data(narrowing.tools),
    }


def narrowing_from_data(data: Json) -> Narrowing:
    """Read what `narrowing_to_data` wrote. Raises Refused(GRANT_MALFORMED) for anything else."""
    members = _object(data, "a narrowing")
    if members.keys() != _NEEDS | {"calls"}:
        raise _malformed("a narrowing has not exactly its members")
    return _narrowing({name: member for name, member in members.items() if name != "calls" or member is not None})


def tools_to_data(tools: Tools) -> dict[str, Json]:
    """The tools as JSON values."""
    return {
        tool: {
            action: {parameter: [*values] for parameter, values in parameters.items()}
            for action, parameters in actions.items()
        }
        for tool, actions in tools.items()
    }


def read_tools(data: Json) -> Tools:
    """Tools, their actions and the values of parameters. Raises Refused(GRANT_MALFORMED)."""
    return _parts(data, "tools", _tool_name, _actions)


def _narrowing(members: Mapping[str, Json]) -> Narrowing:
    name, depth, calls = members["id"], members["depth"], members.get("calls")
    if not isinstance(name, str) or _ID.match(name) is None:
        raise _malformed("the id of a grant is not one")
    if not _is_whole(depth, 0, MOST_NARROWINGS - 1):
        raise _malformed("the depth of a grant is not a small whole number")
    if "calls" in members and not _is_whole(calls, 1, MOST_CALLS):
        raise _malformed("the calls of a grant are not a whole number")
    issued_at, expires_at = _time(members["iat"]), _time(members["exp"])
    if not expires_at.is_integer():  # OPA hashes a number by its integer part, and compares whole seconds
        raise _malformed("a grant ends within a second")
    if expires_at <= issued_at:
        raise _malformed("a grant ends before it begins")
    by = members.get("by", "")
    if not isinstance(by, str) or ("by" in members and _THUMBPRINT.match(by) is None):
        raise _malformed("who asked for a grant is no thumbprint of a key")
    tools = None if members["tools"] is None else read_tools(members["tools"])
    return Narrowing(
        id=name,
        issued_at=issued_at,
        expires_at=expires_at,
        depth=int(depth) if isinstance(depth, int) else 0,
        calls=int(calls) if isinstance(calls, int) else None,
        tools=tools,
        by=by,
    )


def _actions(data: Json) -> Mapping[str, Mapping[str, tuple[Scalar, ...]]]:
    return _parts(data, "actions", _action_name, _parameters)


def _parameters(data: Json) -> Mapping[str, tuple[Scalar, ...]]:
    parameters = _object(data, "the parameters of an action")
    if len(parameters) > _MOST_MEMBERS:
        raise _malformed("an action has too many parameters")
    return {_parameter_name(name): _values(values) for name, values in parameters.items()}


def _parts(data: Json, kind: str, name_of: Callable[[str], str], read: Callable[[Json], _Part]) -> dict[str, _Part]:
    members = _object(data, kind)
    if not 0 < len(members) <= _MOST_MEMBERS:
        raise _malformed(f"there are no {kind}, or too many")
    if ANY in members and len(members) > 1:
        raise _malformed(f"beside {ANY} there are other {kind}")
    return {name_of(name): read(member) for name, member in members.items()}


def _tool_name(name: str) -> str:
    if name != ANY and NAME.match(name) is None:
        raise _malformed("a tool has no name of a tool")
    return name


def _action_name(name: str) -> str:
    if not 0 < len(name) <= _MAX_TEXT or not name.isprintable() or name != name.strip():
        raise _malformed("an action has no name of an action")
    return name


def _parameter_name(name: str) -> str:
    """A name, or a JSON pointer of several parts: what one part would say is written as a name."""
    is_path = name.startswith("/")
    if not 0 < len(name) <= _MAX_TEXT or (is_path and (not is_pointer(name) or len(split(name)) < 2)):
        raise _malformed("a parameter is neither a name nor a JSON pointer of several parts")
    return name


def _values(data: Json) -> tuple[Scalar, ...]:
    if not isinstance(data, list) or not 0 < len(data) <= _MOST_MEMBERS:
        raise _malformed("a parameter has no list of values")
    values = tuple(value for value in data if isinstance(value, str | bool | int | float))
    if len(values) != len(data):
        raise _malformed("a value is neither text, number, true nor false")
    return values


def _object(data: Json, kind: str) -> Mapping[str, Json]:
    if not isinstance(data, Mapping):
        raise _malformed(f"{kind} is not an object")
    return data


def _is_whole(data: Json, least: int, most: int) -> bool:
    return isinstance(data, int) and not isinstance(data, bool) and least <= data <= most


def _time(data: Json) -> Epoch:
    if isinstance(data, bool) or not isinstance(data, int | float) or not 0 < data < 2**40:
        raise _malformed("a time of a grant is none")
    return Epoch(float(data))


def _malformed(detail: str) -> Refused:
    return Refused(Reason.GRANT_MALFORMED, detail)

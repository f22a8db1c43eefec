"""What of a decision record only an auditor reads: parameters, path and the values of a grant, sealed to a public key.

The box holds a JSON object of the members `parameters`, `withheld`, `path`, `whole_path` and `grant` (the chain, null
without one), as the record would hold them in the clear, and is bound to the decision and the digest of its call.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from aegis_authz.core.json_value import Json
from aegis_authz.core.record import DecisionRecord, SealedParameters, WholePath
from aegis_authz.encoding.narrowing import integer, items, mapping, text
from aegis_authz.encoding.sealed_box import NotOpened, key_name, seal, unseal
from aegis_authz.wire.grant import narrowing_from_data, narrowing_to_data

_PLACE = "aegis-sealed-parameters-v1"
Opening = Callable[[DecisionRecord], DecisionRecord]
"""A record with what was sealed in it in the clear; any other as it is. Raises SealBroken."""


class SealBroken(ValueError):
    """What is sealed in a record is not what was sealed for it; the message says which record."""


def sealed_for(auditor: bytes, record: DecisionRecord) -> SealedParameters:
    """What of `record`, which holds it in the clear, is sealed for the owner of the raw public key."""
    grant = record.identity.grant if record.identity is not None else None
    path = record.whole_path
    content: dict[str, Json] = {
        "parameters": record.parameters,
        "withheld": record.withheld,
        "path": record.path,
        "whole_path": None if path is None else {"length": path.length, "sha256": path.sha256},
        "grant": None if grant is None else [*map(narrowing_to_data, grant.chain)],
    }
    data = json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")
    box = base64.b64encode(seal(auditor, _place(record), data)).decode("ascii")
    return SealedParameters(key_name(auditor), box)


def opened(record: DecisionRecord, keys: Sequence[X25519PrivateKey]) -> DecisionRecord:
    """The record as it would be in the clear, where one of the keys opens it; else as it is. Raises SealBroken."""
    sealed = record.sealed
    if sealed is None:
        return record
    for key in keys:
        if key_name(key.public_key().public_bytes_raw()) == sealed.key_id:
            try:
                return _with(record, unseal(key, _place(record), base64.b64decode(sealed.box, validate=True)))
            except (NotOpened, binascii.Error, ValueError, KeyError) as fault:
                raise SealBroken(f"what is sealed in the record of decision {record.decision_id}: {fault}") from None
    return record


def _with(record: DecisionRecord, data: bytes) -> DecisionRecord:
    content = mapping(json.loads(data), "what is sealed")
    identity, path = record.identity, content["whole_path"]
    if identity is not None and identity.grant is not None and content["grant"] is not None:
        chain = tuple(map(narrowing_from_data, items(content["grant"], "grant")))
        identity = replace(identity, grant=replace(identity.grant, chain=chain))
    return replace(
        record,
        identity=identity,
        parameters=mapping(content["parameters"], "parameters"),
        withheld=integer(content["withheld"], "withheld"),
        path=text(content["path"], "path"),
        whole_path=None if path is None else _whole_path(mapping(path, "whole_path")),
        sealed=None,
    )


def _whole_path(members: Mapping[str, Json]) -> WholePath:
    return WholePath(integer(members["length"], "length"), text(members["sha256"], "sha256"))


def _place(record: DecisionRecord) -> bytes:
    return f"{_PLACE}\n{record.decision_id}\n{record.digest}\n".encode()

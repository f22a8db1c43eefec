"""What a caller of the evaluation endpoint hands back with its outcome: sealed, so that no agent reads or changes it.

Nothing is remembered between the two: every worker that has the keys opens what another sealed. The key is derived
from that of MCP sessions for this use alone. Source: NIST SP 800-38D (AES-GCM), RFC 5869 (one block of HKDF-Expand).
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Epoch
from aegis_authz.encoding import base64url
from aegis_authz.encoding.narrowing import members, number, text

TICKET_LIFE: Final = 86_400.0
"""Seconds for which an outcome is taken: no function runs longer and still has its limits held."""
LONGEST_TICKET: Final = 65_536
"""Characters of a ticket that is looked at."""

_DOMAIN = b"aegis-outcome-ticket-v1\x01"
_PREFIX = "aegis-outcome1."
_NONCE = 12


@dataclass(frozen=True, slots=True)
class OutcomeTicket:
    """The decision that let a function be called.

    `scope` is the agent's, `cost` what the outcome of a call is settled by, "" for nothing, and `obligations` what its
    result must be redacted by, as data. `decided_at` is when.
    """

    decision_id: str
    scope: str
    cost: str
    obligations: Json
    decided_at: float


def sealed(ticket: OutcomeTicket, keys: Sequence[bytes], nonce: bytes) -> str:
    """The ticket as a text, under the first key. `nonce` are twelve fresh random bytes."""
    if len(nonce) != _NONCE:
        raise ValueError("a nonce of AES-GCM has twelve bytes")
    plain = orjson.dumps(
        {
            "decision_id": ticket.decision_id,
            "scope": ticket.scope,
            "cost": ticket.cost,
            "obligations": ticket.obligations,
            "decided_at": ticket.decided_at,
        }
    )
    return _PREFIX + base64url.encode(nonce + _cipher(keys[0]).encrypt(nonce, plain, _DOMAIN)).decode()


def opened(text_form: str, keys: Sequence[bytes], scope: str, now: Epoch) -> OutcomeTicket:
    """The ticket in a text that was sealed for this agent under one of the keys.

    Raises Refused(OUTCOME_INVALID) for any other, and for one whose time is over.
    """
    if not text_form.startswith(_PREFIX) or len(text_form) > LONGEST_TICKET:
        raise Refused(Reason.OUTCOME_INVALID, "no ticket of an evaluation")
    ticket = _ticket(_plain(text_form, keys))
    if ticket.scope != scope:
        raise Refused(Reason.OUTCOME_INVALID, "the ticket is another agent's")
    if not ticket.decided_at <= now + TICKET_LIFE or now > ticket.decided_at + TICKET_LIFE:
        raise Refused(Reason.OUTCOME_INVALID, "the ticket is too old")
    return ticket


def _plain(text_form: str, keys: Sequence[bytes]) -> bytes:
    try:
        content = base64url.decode(text_form.removeprefix(_PREFIX).encode("ascii"))
    except ValueError:
        content = b""
    for key in keys:
        try:
            return _cipher(key).decrypt(content[:_NONCE], content[_NONCE:], _DOMAIN)
        except (InvalidTag, ValueError):
            continue
    raise Refused(Reason.OUTCOME_INVALID, "the ticket was sealed elsewhere, or under a key that is gone")


def _ticket(plain: bytes) -> OutcomeTicket:
    item = members(orjson.loads(plain), {"decision_id", "scope", "cost", "obligations", "decided_at"}, "a ticket")
    names = ("decision_id", "scope", "cost")
    texts = {name: text(item[name], name) for name in names}
    return OutcomeTicket(**texts, obligations=item["obligations"], decided_at=float(number(item["decided_at"], "time")))


def _cipher(key: bytes) -> AESGCM:
    return AESGCM(hmac.digest(key, _DOMAIN, "sha256"))

"""The terms of an approval as JSON: what few rules ask for stands there only where it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from aegis_authz.core.approval import MAX_APPROVAL_LIFE, MOST_APPROVERS, MOST_HOLD, ApprovalProof, Unattended
from aegis_authz.core.decision import ApprovalTerms
from aegis_authz.core.json_value import Json
from aegis_authz.core.units import Seconds

ABSENT_TERMS: Mapping[str, Json] = MappingProxyType(
    {
        "approvals": 1,
        "confirm": [],
        "notify": [],
        "hold": 0,
        "proof": ApprovalProof.ANY.value,
        "unattended": Unattended.QUEUE.value,
    }
)
"""What is asked for where a word is left out; the words that are not here are in all terms."""

_EVERY = frozenset(("groups", "expires_in"))


def present_terms(terms: Mapping[str, Json]) -> dict[str, Json]:
    """The terms without the words that ask for nothing."""
    return {word: value for word, value in terms.items() if word not in ABSENT_TERMS or value != ABSENT_TERMS[word]}


def read_terms(data: Json) -> ApprovalTerms:
    """The terms, whatever of them is left out. Raises ValueError for what no policy can ask for."""
    if not isinstance(data, Mapping) or not _EVERY <= data.keys() <= _EVERY | ABSENT_TERMS.keys():
        raise ValueError("not the terms of an approval")
    terms: Mapping[str, Json] = {**ABSENT_TERMS, **data}
    life, approvals = terms["expires_in"], terms["approvals"]
    if isinstance(life, bool) or not isinstance(life, int | float) or not 0 < life <= MAX_APPROVAL_LIFE:
        raise ValueError("an approval that expires never or at once")
    if isinstance(approvals, bool) or not isinstance(approvals, int) or not 1 <= approvals <= MOST_APPROVERS:
        raise ValueError("an approval of nobody, or of more people than there may be")
    hold = terms["hold"]
    if isinstance(hold, bool) or not isinstance(hold, int | float) or not 0 <= hold <= MOST_HOLD:
        raise ValueError("a request that is kept open for longer than any may be")
    return ApprovalTerms(
        groups=_texts(terms["groups"], "groups"),
        expires_in=Seconds(float(life)),
        approvals=approvals,
        confirm=_texts(terms["confirm"], "confirm"),
        notify=_texts(terms["notify"], "notify"),
        hold=Seconds(float(hold)),
        proof=ApprovalProof(terms["proof"]),
        unattended=Unattended(terms["unattended"]),
    )


def _texts(data: Json, word: str) -> tuple[str, ...]:
    if isinstance(data, str) or not isinstance(data, Sequence):
        raise ValueError(f"{word} is not a list")  # noqa: TRY004  # of data, as all else here
    texts = tuple(entry for entry in data if isinstance(entry, str))
    if len(texts) != len(data):
        raise ValueError(f"{word} holds something else than texts")
    return texts

from __future__ import annotations

import pytest

from aegis_authz.core.decision import FilterTools, HideTools, OwnDetector, Redact, RedactionTerms, Target
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.opa.obligations import obligations_from_data, obligations_to_data

REDACT: dict[str, Json] = {"kind": "redact", "target": "request", "detectors": ["us_ssn"], "fields": ["/a"]}

TERMS: dict[str, Json] = {
    "kind": "redaction_terms",
    "target": "request",
    "is_loose": False,
    "numbers": False,
    "passes_opaque": False,
    "own": [],
}


def test_obligations_survive_the_way_through_data() -> None:
    own = (OwnDetector("badge", "B[0-9]{6}", "luhn"),)
    obligations = (
        Redact(Target.RESPONSE, ("us_ssn",), ("/a/*",)),
        RedactionTerms(Target.REQUEST, True, False, True, own),
        FilterTools(("read", "list")),
        HideTools(("wipe",)),
    )
    assert obligations_from_data(obligations_to_data(obligations)) == obligations


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        "redact",
        [None],
        [{}],
        [{"kind": "notify"}],
        [{**REDACT, "kind": "Redact"}],
        [{**REDACT, "target": "both"}],
        [{**REDACT, "extra": 1}],
        [{**REDACT, "detectors": "us_ssn"}],
        [{**REDACT, "detectors": [1]}],
        [{**REDACT, "fields": None}],
        [{key: value for key, value in REDACT.items() if key != "fields"}],
        [{**TERMS, "is_loose": "yes"}],
        [{**TERMS, "numbers": None}],
        [{**TERMS, "own": {}}],
        [{**TERMS, "own": [{"name": "badge", "pattern": "B"}]}],
        [{**TERMS, "own": [{"name": "badge", "pattern": "B", "validator": None}]}],
        [{**TERMS, "target": ""}],
        [{"kind": "filter_tools"}],
        [{"kind": "hide_tools", "hidden": "wipe"}],
        [{"kind": "filter_tools", "allowed": [None]}],
        [REDACT, {"kind": "filter_tools", "allowed": [], "more": []}],
    ],
)
def test_anything_not_known_to_the_letter_is_refused(data: Json) -> None:
    with pytest.raises(Refused) as refused:
        obligations_from_data(data)
    assert refused.value.reason is Reason.OBLIGATION_UNKNOWN

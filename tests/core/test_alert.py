"""Which refusals are told, and where."""

from __future__ import annotations

from aegis_authz.check.refusal_tally import COUNTED
from aegis_authz.core.alert import ALERTING, NO_ALERT_RULES, AlertPlan, AlertRules, AlertTerms
from aegis_authz.core.reason import Reason
from aegis_authz.core.scope import Scope

AGENT = Scope("acme", "emea", "clinic-agent")
EGRESS = frozenset({Reason.EGRESS_DENIED})


def test_where_no_document_says_so_nobody_is_told() -> None:
    assert NO_ALERT_RULES.of(AGENT, Reason.EGRESS_DENIED) is None
    rules = AlertRules.by({"acme/us/*": [AlertTerms(EGRESS, ("log",), 60)]})
    assert rules.of(AGENT, Reason.EGRESS_DENIED) is None


def test_every_document_that_covers_the_agent_has_its_places_told_and_the_longest_time_holds() -> None:
    rules = AlertRules.by(
        {
            "acme/*/*": [AlertTerms(ALERTING, ("webhook:soc",), 300), AlertTerms(EGRESS, ("log",), 60)],
            "acme/emea/clinic-agent": [AlertTerms(EGRESS, ("log", "slack:#clinic"), 10)],
        }
    )
    assert rules.of(AGENT, Reason.EGRESS_DENIED) == AlertPlan(("log", "slack:#clinic", "webhook:soc"), 300)
    assert rules.of(AGENT, Reason.REVOKED) == AlertPlan(("webhook:soc",), 300)


def test_no_reason_may_be_named_whose_refusals_are_counted_as_those_of_nobody() -> None:
    assert ALERTING.isdisjoint(COUNTED)
    assert Reason.EGRESS_DENIED in ALERTING

package aegis.authz_test

import data.aegis.authz

asked := asking(amount([{"condition": "min", "limit": 0}, {"condition": "max", "limit": 900}]), over(100))

holding := object.union(rule, {"values": [asked], "approval": {"groups": ["finance"], "expires_in": 900}})

days := around("time", "number", [{"condition": "within", "limit": [], "windows": [{
	"zone": "UTC",
	"weekdays": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
	"from": 0,
	"to": 1440,
	"first": "2026-01-01",
	"last": "2026-01-07",
	"holidays": [],
}]}])

waiver := {"id": "waivers[0]", "of": ["bank-policy"], "groups": ["finance"], "values": [amount(at_most(300)), days]}

waiving(given) := object.union(document("standing", {}), {"waivers": {"bank": {"pay": [given]}}})

standing_beside(rules, given, sum) := decision if {
	policies := only("payer", [bank(rules), waiving(given)], [])
	decision := authz.decide(pay({"amount": sum})) with data.aegis.policies as policies
}

test_a_call_within_the_waiver_needs_no_approval if {
	decision := standing_beside([holding], waiver, 200)
	decision.effect == "allow"
	decision.reason == "ALLOWED"
	decision.findings == []
	decision.policies == ["bank-policy", "standing"]
}

test_a_call_beyond_the_waiver_is_held_as_before if {
	decision := standing_beside([holding], waiver, 301)
	decision.effect == "approval_needed"
	decision.approval.groups == ["finance"]
	decision.policies == ["bank-policy"]
}

test_what_the_rule_denies_is_denied_all_the_same if {
	standing_beside([holding], object.union(waiver, {"values": [days]}), 901).effect == "deny"
}

test_what_another_rule_denies_is_denied_all_the_same if {
	forbidding := object.union(bank([holding]), {"denied": {"bank": {"pay": [denial("no", [])]}}})
	policies := only("payer", [forbidding, waiving(waiver)], [])
	decision := authz.decide(pay({"amount": 200})) with data.aegis.policies as policies
	decision.effect == "deny"
}

test_a_waiver_alone_allows_nothing if {
	policies := only("payer", [waiving(waiver)], [])
	decision := authz.decide(pay({"amount": 200})) with data.aegis.policies as policies
	decision.effect == "deny"
	decision.reason == "POLICY_DENIED"
}

test_an_approval_that_is_always_needed_is_waived_and_what_it_redacts_is_redacted if {
	redaction := {"target": "request", "detectors": ["us_ssn"], "fields": []}
	always := object.union(holding, {"effect": "approval_needed", "values": [], "redact": [redaction]})
	decision := standing_beside([always], waiver, 200)
	decision.effect == "sanitize"
	count(decision.obligations) == 1
}

test_an_approval_of_several_people_is_not_waived if {
	several := object.union(holding, {"approval": {"approvals": 2}})
	standing_beside([several], waiver, 200).effect == "approval_needed"
}

test_an_approval_that_takes_what_nobody_knows_here_is_not_waived if {
	later := object.union(holding, {"approval": {"proof": "signed_in"}})
	standing_beside([later], waiver, 200).effect == "approval_needed"
}

test_an_approval_whose_request_is_kept_open_is_waived_as_any_other if {
	kept_open := object.union(holding, {"approval": {"hold": 20, "unattended": "deny"}})
	standing_beside([kept_open], waiver, 200).effect == "allow"
}

test_a_waiver_of_another_group_waives_nothing if {
	standing_beside([holding], object.union(waiver, {"groups": ["sales"]}), 200).effect == "approval_needed"
	standing_beside([holding], object.union(waiver, {"groups": ["finance", "sales"]}), 200).effect == "approval_needed"
	standing_beside([holding], object.union(waiver, {"groups": []}), 200).effect == "approval_needed"
}

test_a_rule_that_names_no_group_is_waived_by_whoever_may_decide if {
	open := object.union(holding, {"approval": {"groups": []}})
	standing_beside([open], waiver, 200).effect == "allow"
}

test_a_waiver_of_another_document_waives_nothing if {
	standing_beside([holding], object.union(waiver, {"of": ["bank"]}), 200).effect == "approval_needed"
}

test_every_rule_that_asks_must_be_waived if {
	stranger := document("stranger", {"bank": {"pay": [holding]}})
	policies := only("payer", [bank([holding]), stranger, waiving(waiver)], [])
	decision := authz.decide(pay({"amount": 200})) with data.aegis.policies as policies
	decision.effect == "approval_needed"
	decision.policies == ["stranger"]
}

test_a_waiver_that_is_over_waives_nothing if {
	late := object.union(pay({"amount": 200}), {"context": {"time": 1767830400000000000}})
	policies := only("payer", [bank([holding]), waiving(waiver)], [])
	authz.decide(late).effect == "approval_needed" with data.aegis.policies as policies
	decision := authz.decide(object.remove(late, ["context"])) with data.aegis.policies as policies
	decision.effect == "approval_needed"
}

test_a_waiver_of_a_session_waives_in_that_session_alone if {
	bound := object.union(waiver, {"values": [days, around("session", "string", [{
		"condition": "equals",
		"limit": "task-1",
	}])]})
	policies := only("payer", [bank([holding]), waiving(bound)], [])
	within := object.union(pay({"amount": 200}), {"context": {"session": "task-1"}})
	beside := object.union(pay({"amount": 200}), {"context": {"session": "task-2"}})
	beyond := object.union(pay({"amount": 901}), {"context": {"session": "task-1"}})
	authz.decide(within).effect == "allow" with data.aegis.policies as policies
	authz.decide(beside).effect == "approval_needed" with data.aegis.policies as policies
	authz.decide(pay({"amount": 200})).effect == "approval_needed" with data.aegis.policies as policies
	authz.decide(beyond).effect == "deny" with data.aegis.policies as policies
}

test_a_waiver_without_conditions_or_with_some_that_ask_waives_nothing if {
	standing_beside([holding], object.union(waiver, {"values": []}), 200).effect == "approval_needed"
	standing_beside([holding], object.remove(waiver, ["values"]), 200).effect == "approval_needed"
	standing_beside([holding], object.union(waiver, {"values": [asked]}), 200).effect == "approval_needed"
}

test_what_is_observed_is_waived_by_nothing_that_is_enforced if {
	policies := only("payer", [bank([rule]), waiving(waiver)], [document("observed", {"bank": {"pay": [holding]}})])
	decision := authz.decide(pay({"amount": 200})) with data.aegis.policies as policies
	decision.would == "approval_needed"
}

test_an_explanation_tells_what_is_waived if {
	policies := only("payer", [bank([holding]), waiving(waiver)], [])
	told := authz.explanations with input as {"calls": [pay({"amount": 200})]}
		with data.aegis.policies as policies
		with data.aegis.revision as "r1"
	told[0].documents[0].rules[0].outcome == "allow"
}

test_what_no_group_can_approve_is_denied_also_where_a_waiver_stands_for_a_part if {
	others := object.union(holding, {"approval": {"groups": ["sales"]}})
	standing_beside([holding], waiver, 200).effect == "allow"
	standing_beside([holding, others], waiver, 200).effect == "deny"
}

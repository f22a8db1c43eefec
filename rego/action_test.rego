package aegis.authz_test

import data.aegis.authz

decided(rules, parameters) := decision if {
	decision := authz.decide(pay(parameters)) with data.aegis.policies as only("payer", [bank(rules)], [])
}

capped := object.union(rule, {
	"values": [asking(amount(at_most(10000)), over(5000))],
	"approval": {"groups": ["finance"], "expires_in": 600},
})

redacting := object.union(rule, {
	"effect": "sanitize",
	"redact": [
		{"target": "request", "detectors": ["us_ssn"], "fields": []},
		{"target": "response", "detectors": ["us_ssn"], "fields": ["/notes"]},
	],
})

test_within_its_conditions_an_action_is_allowed if {
	decision := decided([capped], {"amount": 5000})
	[decision.effect, decision.reason, decision.findings] == ["allow", "ALLOWED", []]
	decision.policies == ["bank-policy"]
}

test_over_the_threshold_an_approval_is_needed if {
	decision := decided([capped], {"amount": 5000.01})
	[decision.effect, decision.reason] == ["approval_needed", "APPROVAL_NEEDED"]
	decision.approval == {"groups": ["finance"], "expires_in": 600}
	decision.findings == [{
		"parameter": "amount", "condition": "approval_needed_over",
		"limit": null, "seen": null,
	}]
}

test_over_the_limit_the_call_is_denied_and_no_approval_helps if {
	decision := decided([capped], {"amount": 10001})
	[decision.effect, decision.reason, decision.approval] == ["deny", "POLICY_DENIED", null]
	decision.detail == "bank-policy: amount max"
	count(decision.findings) == 1
}

test_an_action_or_tool_no_rule_lists_is_denied if {
	policies := only("payer", [bank([rule])], [])
	every wanted in [["bank", "refund"], ["vault", "pay"], ["", ""]] {
		asked := call("payer", "http", wanted[0], wanted[1], {})
		decision := authz.decide(asked) with data.aegis.policies as policies
		[decision.effect, decision.reason] == ["deny", "POLICY_DENIED"]
	}
}

test_a_star_lists_every_action if {
	policies := only("payer", [document("open", {"bank": {"*": [rule]}})], [])
	decision := authz.decide(call("payer", "mcp_tool", "bank", "anything", {})) with data.aegis.policies as policies
	decision.effect == "allow"
}

test_a_rule_that_redacts_sanitizes if {
	decision := decided([redacting], {})
	[decision.effect, decision.reason] == ["sanitize", "SANITIZED"]
	decision.obligations == [
		{"kind": "redact", "target": "request", "detectors": ["us_ssn"], "fields": []},
		{"kind": "redact", "target": "response", "detectors": ["us_ssn"], "fields": ["/notes"]},
	]
}

test_redactions_of_all_rules_are_merged_for_each_direction if {
	other := object.union(rule, {
		"effect": "sanitize",
		"redact": [{"target": "request", "detectors": ["iban", "us_ssn"], "fields": ["/iban"]}],
	})
	decision := decided([redacting, other, rule], {})
	decision.effect == "sanitize"
	decision.obligations[0].detectors == ["iban", "us_ssn"]
	decision.obligations[0].fields == ["/iban"]
	count(decision.obligations) == 2
}

test_how_is_said_where_it_is_not_the_usual_way if {
	detector := {"name": "badge", "pattern": "B[0-9]{6}", "validator": "luhn"}
	terms := {"match": "loose", "numbers": true, "opaque": "pass", "own": [detector]}
	other := object.union(rule, {
		"effect": "sanitize",
		"redact": [object.union({"target": "request", "detectors": [], "fields": []}, terms)],
	})
	decided([other], {}).obligations[1] == {
		"kind": "redaction_terms",
		"target": "request",
		"is_loose": true,
		"numbers": true,
		"passes_opaque": true,
		"own": [detector],
	}

	# what cannot be looked at passes only where every rule lets it
	merged := decided([redacting, other], {}).obligations
	[one.passes_opaque | some one in merged; one.kind == "redaction_terms"] == [false]
	[one.is_loose | some one in merged; one.kind == "redaction_terms"] == [true]
}

test_the_strictest_rule_wins if {
	decided([rule, redacting, capped], {"amount": 1}).effect == "sanitize"
	decided([rule, redacting, capped], {"amount": 6000}).effect == "approval_needed"
	decided([rule, redacting, capped], {"amount": 20000}).effect == "deny"
	decided([rule, redacting, capped], {"amount": 20000}).obligations == []
}

test_an_approved_call_keeps_its_redactions if {
	decision := decided([redacting, capped], {"amount": 6000})
	decision.effect == "approval_needed"
	count(decision.obligations) == 2
}

test_a_rule_may_always_ask_for_an_approval if {
	decision := decided([object.union(rule, {"effect": "approval_needed"})], {})
	[decision.effect, decision.findings] == ["approval_needed", []]
	decision.approval == {"groups": [], "expires_in": 900}
}

asks(groups, life) := object.union(rule, {
	"effect": "approval_needed",
	"approval": {"groups": groups, "expires_in": life},
})

test_rules_that_ask_different_groups_need_one_in_common if {
	shared := decided([asks(["a", "b"], 900), asks(["b", "c"], 60), asks([], 300)], {})
	shared.approval == {"groups": ["b"], "expires_in": 60}
	apart := decided([asks(["a"], 900), asks(["c"], 900)], {})
	[apart.effect, apart.reason, apart.approval] == ["deny", "POLICY_DENIED", null]
}

test_rules_that_ask_get_the_most_approvers_and_all_that_any_of_them_names if {
	once := object.union(asks(["a"], 900), {"approval": {"approvals": 2, "confirm": ["payee"], "notify": ["slack:#a"]}})
	twice := object.union(asks(["a"], 60), {"approval": {"approvals": 3, "confirm": ["amount"], "notify": ["slack:#a"]}})
	decided([once, asks(["a"], 900), twice], {}).approval == {
		"groups": ["a"], "expires_in": 60, "approvals": 3,
		"confirm": ["amount", "payee"], "notify": ["slack:#a"],
	}
}

test_a_request_is_kept_open_no_longer_than_every_rule_that_asks_wants if {
	short := object.union(asks(["a"], 900), {"approval": {"hold": 1}})
	long := object.union(asks(["a"], 900), {"approval": {"hold": 20}})
	decided([short, long], {}).approval == {"groups": ["a"], "expires_in": 900, "hold": 1}
	decided([long], {}).approval.hold == 20
	not "hold" in object.keys(decided([long, asks(["a"], 900)], {}).approval)
}

test_rules_that_ask_are_decided_by_who_is_signed_in_once_any_of_them_wants_that if {
	signed_in := object.union(asks(["a"], 900), {"approval": {"proof": "signed_in"}})
	decided([asks(["a"], 900), signed_in], {}).approval.proof == "signed_in"
	not "proof" in object.keys(decided([asks(["a"], 900)], {}).approval)
}

test_what_nobody_decides_is_denied_once_any_rule_that_asks_says_so if {
	final := object.union(asks(["a"], 900), {"approval": {"hold": 20, "unattended": "deny"}})
	decided([asks(["a"], 900), final], {}).approval.unattended == "deny"
	decided([final], {}).approval == {"groups": ["a"], "expires_in": 900, "hold": 20, "unattended": "deny"}
}

test_a_rule_that_cannot_be_read_denies if {
	every broken in [{}, object.remove(rule, ["values"]), object.remove(rule, ["headers"]), null, "x"] {
		decided([rule, broken], {}).effect == "deny"
	}
}

test_a_limit_is_told_only_where_the_document_says_so if {
	open := object.union(bank([capped]), {"disclose": true})
	decision := authz.decide(pay({"amount": 10001})) with data.aegis.policies as only("payer", [open], [])
	decision.findings == [{"parameter": "amount", "condition": "max", "limit": 10000, "seen": 10001}]
	decided([capped], {"amount": 10001}).findings == [{
		"parameter": "amount", "condition": "max",
		"limit": null, "seen": null,
	}]
}

test_a_rule_for_one_tool_is_not_typed_away_beside_a_rule_for_all if {
	capped_tool := object.union(rule, {"values": [amount(at_most(5))]})
	policies := only("coder", [document("hub-policy", {"hub": {"*": [rule], "sponsor": [capped_tool]}})], [])
	reason_for(policies, "sponsor", 5) == "ALLOWED"
	reason_for(policies, "sponsor", 6) == "POLICY_DENIED"
	reason_for(policies, "Sponsor", 5) == "POLICY_DENIED"
	reason_for(policies, "sponsor ", 6) == "POLICY_DENIED"
	reason_for(policies, "other", 6) == "ALLOWED"
}

reason_for(policies, name, number) := decision.reason if {
	asked := call("coder", "mcp_tool", "hub", name, {"amount": number})
	decision := authz.decide(asked) with data.aegis.policies as policies
}

package aegis.authz_test

import data.aegis.authz

explained(documents, parameters) := explanation if {
	answer := authz.explanations with input as {"calls": [pay(parameters)]}
		with data.aegis.policies as only("payer", documents, [])
	explanation := answer[0]
}

told(explanation) := [[row.parameter, row.condition, row.holds] |
	some document in explanation.documents
	some one in document.rules
	some row in one.conditions
]

test_each_condition_is_told_with_what_was_seen_and_wanted if {
	explanation := explained([bank([capped])], {"amount": 6000})
	explanation.decision.effect == "approval_needed"
	[one.outcome | some one in explanation.documents[0].rules] == ["approval_needed"]
	told(explanation) == [
		["amount", "type", true], ["amount", "min", true], ["amount", "max", true],
		["amount", "approval_needed_over", false],
	]
	explanation.documents[0].rules[0].conditions[3].otherwise == "approval_needed"
	explanation.documents[0].rules[0].conditions[3].seen == 6000
}

test_what_was_not_reached_is_told_as_such if {
	told(explained([bank([capped])], {})) == [
		["amount", "present", false], ["amount", "min", null], ["amount", "max", null],
		["amount", "approval_needed_over", null],
	]
	told(explained([bank([capped])], {"amount": "x"}))[0] == ["amount", "type", false]
}

test_rules_that_deny_are_told_as_firing_or_excused if {
	large := [denial("no", [amount([{"condition": "over", "limit": 5}])])]
	documents := [object.union(bank([rule]), {"denied": {"bank": {"pay": large}}})]
	[one.outcome | some one in explained(documents, {"amount": 6}).documents[0].rules] == ["allow", "deny"]
	[one.outcome | some one in explained(documents, {"amount": 5}).documents[0].rules] == ["allow", "excused"]
}

test_regions_and_modes_are_told if {
	abroad := explained([object.union(bank([rule]), {"regions": ["eu"]})], {})
	[abroad.documents[0].outside, abroad.documents[0].mode] == [true, "enforce"]
	explained([bank([rule])], {}).documents[0].outside == false
}

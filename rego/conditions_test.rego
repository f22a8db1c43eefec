package aegis.authz_test

import data.aegis.authz

# The conditions of the findings about one parameter x.
found(kind, checks, parameters) := [finding.condition |
	spec := {"name": "x", "optional": false, "type": kind, "checks": checks}
	some finding in authz.failures(spec, parameters, false)
]

test_conditions_hold_and_fail_as_they_read if {
	every row in [
		["number", "max", 5, [5, 4.9, -1], [5.0000001, 1e300]],
		["number", "min", 0, [0, 3], [-0.1]],
		["number", "equals", 5, [5, 5.0], [6]],
		["string", "equals", "a", ["a"], ["A", "a ", ""]],
		["string", "in", ["a", "b"], ["a", "b"], ["c", "A"]],
		["number", "in", [1, 2], [1, 2.0], [3]],
		["string", "not_in", ["a"], ["b"], ["a"]],
		["string", "starts_with", "eu-", ["eu-1"], ["us-1", "xeu-"]],
		["boolean", "equals", false, [false], [true]],
	] {
		check := {"condition": row[1], "limit": row[2]}
		every good in row[3] {
			found(row[0], [check], {"x": good}) == []
		}
		every bad in row[4] {
			found(row[0], [check], {"x": bad}) == [row[1]]
		}
	}
}

test_a_pattern_matches_the_whole_text if {
	check := {"condition": "matches", "limit": "[a-z]+", "pattern": `\A(?:[a-z]+)\z`}
	found("string", [check], {"x": "abc"}) == []
	every bad in ["abc1", "ABC", "", "abc\n", "x\nabc"] {
		found("string", [check], {"x": bad}) == ["matches"]
	}
}

test_a_pattern_that_is_none_fails if {
	found("string", [{"condition": "matches", "limit": "(", "pattern": "("}], {"x": "("}) == ["matches"]
}

test_a_condition_nobody_knows_fails if {
	found("any", [{"condition": "vibes", "limit": 1}], {"x": 1}) == ["vibes"]
}

test_a_parameter_that_is_read_must_be_there if {
	found("number", [], {}) == ["missing"]
	found("any", [], {"y": 1}) == ["missing"]
	found("any", [], {"x": null}) == []
	found("any", [], {"x": false}) == []
}

test_an_optional_parameter_may_be_absent_but_is_judged_when_present if {
	spec := {"name": "x", "optional": true, "type": "number", "checks": [{"condition": "max", "limit": 5}]}
	authz.failures(spec, {}, false) == []
	authz.failures(spec, {"x": 6}, false)[0].condition == "max"
	authz.failures(spec, {"x": null}, false)[0].condition == "type"
}

test_types_are_exact if {
	samples := {
		"string": "1", "number": 1.5, "boolean": true,
		"array": [1], "object": {"a": 1},
	}
	every kind, _ in samples {
		every other, sample in samples {
			found(kind, [], {"x": sample}) == [wrong | kind != other; wrong := "type"]
		}
		found(kind, [], {"x": null}) == ["type"]
	}
	found("integer", [], {"x": 3}) == []
	found("integer", [], {"x": 3.5}) == ["type"]
	found("integer", [], {"x": "3"}) == ["type"]
	found("number", [], {"x": 3}) == []
	found("nonsense", [], {"x": 3}) == ["type"]
	long_s := {"name": "\u017fize", "optional": true, "type": "number", "checks": at_most(5)}
	count(authz.failures(long_s, {"size": 9}, false)) == 1
}

test_missing_and_mistyped_parameters_have_reasons_of_their_own if {
	capped_rule := object.union(rule, {"parameters": [amount(at_most(5))]})
	decided([capped_rule], {}).reason == "PARAMETER_MISSING"
	decided([capped_rule], {"amount": "3"}).reason == "PARAMETER_TYPE"
	decided([capped_rule], {"amount": true}).reason == "PARAMETER_TYPE"
	decided([capped_rule], {"amount": -1}).reason == "POLICY_DENIED"
}

test_a_set_can_need_an_approval if {
	gated := object.union(rule, {"thresholds": [{
		"parameter": "stage",
		"condition": "approval_needed_in",
		"limit": ["production"],
	}]})
	decided([gated], {"stage": "staging"}).effect == "allow"
	decided([gated], {"stage": "production"}).effect == "approval_needed"
	decided([gated], {}).effect == "allow"
}

test_a_threshold_nobody_knows_needs_an_approval if {
	gated := object.union(rule, {"thresholds": [{"parameter": "stage", "condition": "vibes", "limit": 1}]})
	decided([gated], {"stage": "staging"}).effect == "approval_needed"
}

seen(value) := authz.finding("x", "in", ["a"], value, true).seen

test_only_short_plain_values_are_repeated if {
	seen("b") == "b"
	seen(true) == true
	seen(concat("", [letter | some _ in numbers.range(1, 300); letter := "x"])) == null
	seen({"a": 1}) == null
	seen([1]) == null
}

test_an_optional_parameter_in_another_spelling_is_judged_as_itself if {
	spec := {"name": "amount", "optional": true, "type": "number", "checks": at_most(5)}
	authz.failures(spec, {"other": 9}, false) == []
	authz.failures(spec, {"Amount": 4}, false) == []
	[finding.condition | some finding in authz.failures(spec, {"Amount": 9}, false)] == ["max"]
	[finding.condition | some finding in authz.failures(spec, {"AMOUNT": "9"}, false)] == ["type"]
}

test_a_threshold_is_held_against_another_spelling_too if {
	spec := {"name": "amount", "optional": true, "type": "number", "checks": []}
	rules := [object.union(rule, {"parameters": [spec], "thresholds": [over(5)]})]
	policies := only("payer", [bank(rules)], [])
	spelt := authz.decide(pay({"Amount": 6})) with data.aegis.policies as policies
	spelt.effect == "approval_needed"
	absent := authz.decide(pay({"other": 6})) with data.aegis.policies as policies
	absent.effect == "allow"
}

test_a_required_parameter_must_be_spelt_as_it_is if {
	spec := {"name": "amount", "optional": false, "type": "number", "checks": []}
	[finding.condition | some finding in authz.failures(spec, {"Amount": 4}, false)] == ["missing"]
}

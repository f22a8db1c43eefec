package aegis.authz_test

import data.aegis.authz

# The conditions of the findings about one parameter x.
found(kind, checks, parameters) := [finding.condition |
	some finding in authz.failures(value("x", kind, checks), given(parameters), false)
]

given(parameters) := {"parameters": parameters, "context": {}}

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
	spec := optional(value("x", "number", [{"condition": "max", "limit": 5}]))
	authz.failures(spec, given({}), false) == []
	authz.failures(spec, given({"x": 6}), false)[0].condition == "max"
	authz.failures(spec, given({"x": null}), false)[0].condition == "type"
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
	long_s := optional(value("\u017fize", "number", at_most(5)))
	count(authz.failures(long_s, given({"size": 9}), false)) == 1
}

test_missing_and_mistyped_parameters_have_reasons_of_their_own if {
	capped_rule := object.union(rule, {"values": [amount(at_most(5))]})
	decided([capped_rule], {}).reason == "PARAMETER_MISSING"
	decided([capped_rule], {"amount": "3"}).reason == "PARAMETER_TYPE"
	decided([capped_rule], {"amount": true}).reason == "PARAMETER_TYPE"
	decided([capped_rule], {"amount": -1}).reason == "POLICY_DENIED"
}

test_a_set_can_need_an_approval if {
	asks := [{"condition": "approval_needed_in", "limit": ["production"]}]
	gated := object.union(rule, {"values": [asking(value("stage", "string", []), asks)]})
	decided([gated], {"stage": "staging"}).effect == "allow"
	decided([gated], {"stage": "production"}).effect == "approval_needed"
	decided([gated], {}).reason == "PARAMETER_MISSING"
	decided([gated], {"stage": 1}).reason == "PARAMETER_TYPE"
}

test_an_ask_nobody_knows_needs_an_approval if {
	gated := object.union(rule, {"values": [asking(value("stage", "string", []), [{"condition": "vibes", "limit": 1}])]})
	decided([gated], {"stage": "staging"}).effect == "approval_needed"
}

test_what_is_compared_with_must_be_there_and_alike_and_no_approval_makes_up_for_it if {
	check := {"condition": "max", "limit": {"parameter": "limit"}, "than": ["limit"]}
	every spec in [amount([check]), asking(amount([]), [check])] {
		rules := [object.union(rule, {"values": [spec]})]
		decided(rules, {"amount": 1, "limit": 2}).effect == "allow"
		decided(rules, {"amount": 1}).reason == "PARAMETER_MISSING"
		decided(rules, {"amount": 1, "limit": "2"}).reason == "PARAMETER_TYPE"
	}
}

test_values_that_cannot_be_read_deny if {
	every broken in [null, "x", {}, object.remove(amount([]), ["asks"]), object.remove(amount([]), ["checks"])] {
		decided([object.union(rule, {"values": [broken]})], {"amount": 1}).effect == "deny"
	}
}

seen(shown) := authz.finding("x", "in", ["a"], shown, true).seen

test_only_short_plain_values_are_repeated if {
	seen("b") == "b"
	seen(true) == true
	seen(concat("", [letter | some _ in numbers.range(1, 300); letter := "x"])) == null
	seen({"a": 1}) == null
	seen([1]) == null
}

test_an_optional_parameter_in_another_spelling_is_judged_as_itself if {
	spec := optional(amount(at_most(5)))
	authz.failures(spec, given({"other": 9}), false) == []
	authz.failures(spec, given({"Amount": 4}), false) == []
	[finding.condition | some finding in authz.failures(spec, given({"Amount": 9}), false)] == ["max"]
	[finding.condition | some finding in authz.failures(spec, given({"AMOUNT": "9"}), false)] == ["type"]
}

test_a_spelling_that_only_some_readers_take_for_a_name_is_judged_as_that_name if {
	spec := optional(amount(at_most(5)))
	every name in ["amount ", " AMOUNT", "Amount"] {
		[finding.condition | some finding in authz.failures(spec, given({name: 9}), false)] == ["max"]
	}
	odd := object.union(given({"amount[]": 9}), {"spellings": {"amount[]": "amount"}})
	[finding.condition | some finding in authz.failures(spec, odd, false)] == ["max"]
	authz.failures(spec, given({"amount[]": 9}), false) == []
	dotted := optional(value("a_b", "number", at_most(5)))
	[finding.condition | some finding in authz.failures(dotted, given({"a.b": 9}), false)] == ["max"]
}

test_of_two_spellings_nobody_knows_which_is_read if {
	spec := optional(amount(at_most(5)))
	two := object.union(given({"amount ": 3, " amount": 4}), {"spellings": {}})
	[finding.condition | some finding in authz.failures(spec, two, false)] == ["type"]
}

test_an_ask_is_held_against_another_spelling_too if {
	rules := [object.union(rule, {"values": [asking(optional(amount([])), over(5))]})]
	decided(rules, {"Amount": 6}).effect == "approval_needed"
	decided(rules, {"other": 6}).effect == "allow"
}

test_a_required_parameter_must_be_spelt_as_it_is if {
	[finding.condition | some finding in authz.failures(amount([]), given({"Amount": 4}), false)] == ["missing"]
}

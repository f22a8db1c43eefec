package aegis.authz_test

import data.aegis.authz

test_every_call_gets_a_decision_whatever_it_is if {
	calls := [null, true, false, 0, "", [], {}, {"subject": 1}, pay({}), pay([]), pay(null)]
	answer := authz.answer with input as {"calls": calls}
		with data.aegis.policies as only("payer", [bank([rule])], [])
		with data.aegis.revision as "r1"
	answer.revision == "r1"
	count(answer.decisions) == count(calls)
	[decision.effect | some decision in answer.decisions] == [
		"deny", "deny", "deny", "deny", "deny", "deny", "deny", "deny", "allow", "deny", "deny",
	]
}

# With which an authorizer asks for the revision alone.
test_a_query_of_no_calls_names_the_revision if {
	authz.answer == {"revision": "r1", "decisions": []} with input as {"calls": [], "brief": true}
		with data.aegis.revision as "r1"
}

test_every_decision_has_exactly_the_known_members if {
	calls := [null, pay({}), call("payer", "http", "bank", "other", {}), call("nobody", "http", "bank", "pay", {})]
	answer := authz.answer with input as {"calls": calls}
		with data.aegis.policies as only("payer", [bank([rule])], [])
		with data.aegis.revision as "r1"
	every decision in answer.decisions {
		object.keys(decision) == {
			"effect", "reason", "detail", "policies",
			"obligations", "findings", "approval", "would", "limits",
		}
	}
}

test_without_a_bundle_there_is_no_answer if {
	not authz.answer with input as {"calls": []} with data.aegis.policies as {}
}

test_a_call_of_an_unknown_kind_is_denied_also_when_only_observed if {
	policies := only("payer", [], [bank([rule])])
	decision := authz.decide(call("payer", "telepathy", "bank", "pay", {})) with data.aegis.policies as policies
	decision.effect == "deny"
}

test_an_agent_no_document_covers_is_denied if {
	decision := authz.decide(pay({})) with data.aegis.policies as only("other", [bank([rule])], [])
	decision.effect == "deny"
	decision.reason == "POLICY_ABSENT"
	decision.policies == []
}

test_another_tenants_documents_do_not_count if {
	policies := {
		"shapes": [["", "", ""]],
		"forms": [form([bank([rule])], [])],
		"scopes": {"acme/apac/payer": [0]},
	}
	decision := authz.decide(pay({})) with data.aegis.policies as policies
	decision.reason == "POLICY_ABSENT"
}

test_all_eight_scopes_are_found if {
	every scope in [
		["", "", ""], ["", "", "*"], ["", "*", ""], ["", "*", "*"],
		["*", "", ""], ["*", "", "*"], ["*", "*", ""], ["*", "*", "*"],
	] {
		names := ["acme", "emea", "payer"]
		key := concat("/", [written |
			some position, part in scope
			written := {"": names[position], "*": "*"}[part]
		])
		policies := {"shapes": [scope], "forms": [form([bank([rule])], [])], "scopes": {key: [0]}}
		decision := authz.decide(pay({})) with data.aegis.policies as policies
		decision.effect == "allow"
	}
}

test_documents_of_wider_scopes_can_only_tighten if {
	strict := object.union(rule, {"values": [amount(at_most(10))]})
	policies := {
		"shapes": [["", "", ""], ["", "*", "*"]],
		"forms": [
			form([bank([rule])], []),
			form([document("org-wide", {"bank": {"*": [strict]}})], []),
		],
		"scopes": {"acme/emea/payer": [0], "acme/*/*": [1]},
	}
	decision := authz.decide(pay({"amount": 11})) with data.aegis.policies as policies
	decision.effect == "deny"
	decision.policies == ["org-wide"]
}

test_an_observed_agent_goes_through_and_would_says_what_enforcing_had_done if {
	strict := object.union(rule, {"values": [amount(at_most(10))], "redact": []})
	policies := only("payer", [], [bank([strict])])
	small := authz.decide(pay({"amount": 9})) with data.aegis.policies as policies
	large := authz.decide(pay({"amount": 11})) with data.aegis.policies as policies
	[small.effect, small.reason, small.would] == ["allow", "SHADOWED", "allow"]
	[large.effect, large.reason, large.would] == ["allow", "SHADOWED", "deny"]
	large.obligations == []
	large.findings == []
	large.policies == ["bank-policy"]
}

test_enforcing_documents_decide_and_observing_ones_only_say_what_they_would_do if {
	strict := object.union(rule, {"values": [amount(at_most(10))]})
	policies := only("payer", [bank([rule])], [document("trial", {"bank": {"pay": [strict]}})])
	decision := authz.decide(pay({"amount": 11})) with data.aegis.policies as policies
	[decision.effect, decision.reason, decision.would] == ["allow", "ALLOWED", "deny"]
	decision.policies == ["bank-policy"]
}

test_observing_documents_never_open_what_enforcing_ones_deny if {
	policies := only("payer", [document("closed", {})], [bank([rule])])
	decision := authz.decide(pay({})) with data.aegis.policies as policies
	[decision.effect, decision.reason, decision.would] == ["deny", "POLICY_DENIED", "allow"]
}

test_groups_are_found_by_the_beginning_of_a_name if {
	every row in [
		[2, "pa*", "allow"], [5, "payer*", "allow"], [1, "p*", "allow"],
		[2, "po*", "deny"], [6, "payer-*", "deny"], [6, "payer*", "deny"],
	] {
		key := sprintf("acme/emea/%s", [row[1]])
		policies := {
			"shapes": [["", "", row[0]]],
			"forms": [form([bank([rule])], [])],
			"scopes": {key: [0]},
		}
		decision := authz.decide(pay({})) with data.aegis.policies as policies
		decision.effect == row[2]
	}
}

plain_policies(checks) := {
	"shapes": [["", "", ""]],
	"forms": [plainly_paying(form([bank([object.union(rule, {"effect": "deny"})])], []), checks)],
	"scopes": {"acme/emea/payer": [0, ["bank-policy"], ["spend"]]},
}

plainly(checks, parameters) := decision if {
	decision := authz.decide(pay(parameters)) with data.aegis.policies as plain_policies(checks)
}

test_a_plain_rule_allows_without_looking_further_and_whatever_misses_it_is_judged_in_full if {
	checks := {"checks": [{"parameter": "amount", "condition": "max", "limit": 5}]}
	plainly(checks, {"amount": 5}).effect == "allow"
	every other in [{"amount": 6}, {}, [], "x"] {
		plainly(checks, other).effect == "deny"
	}
	plainly({}, {}).effect == "allow"
	every other in [[], "x", null] {
		plainly({}, other).effect == "deny"
	}
}

test_who_reads_it_is_told_a_plain_allow_in_brief_and_all_else_in_full if {
	calls := [pay({"amount": 5}), pay({"amount": 6}), {"x": 1}, under(pay({"amount": 5}), [narrowing({"bank": {"*": []}})])]
	policies := plain_policies({"between": {"amount": [0, 5]}})
	full := authz.answer.decisions with input as {"calls": calls} with data.aegis.policies as policies with data.aegis.revision as "r"
	brief := authz.answer with input as {"calls": calls, "brief": true} with data.aegis.policies as policies with data.aegis.revision as "r"
	[full[0].effect, full[0].policies, full[0].limits] == ["allow", ["bank-policy"], ["spend"]]
	brief == {"revision": "r", "decisions": [["ALLOWED", ["bank-policy"], ["spend"]], full[1], full[2], full[3]]}
	[full[3].effect, full[3].policies, full[3].limits] == ["allow", ["bank-policy"], ["spend"]]
	every other in [false, null, 1, "true", {}] {
		told := authz.answer.decisions with input as {"calls": calls, "brief": other} with data.aegis.policies as policies
			with data.aegis.revision as "r"
		told == full
	}
}

test_each_kind_of_check_of_a_plain_rule_must_hold if {
	every row in [
		[{"between": {"p": [1, 5]}}, [1, 2.5, 5], [0, 5.1, "3", null, true, [3], {"3": 3}]],
		[{"among": {"p": ["a", 1, false]}}, ["a", 1, 1.0, false], ["A", "1", 0, true, null, ["a"]]],
		[{"matching": {"p": `\A(?:a+)\z`}}, ["a", "aa"], ["", "b", "a\n", 1, null, ["a"]]],
		[{"lengths": {"p": [1, 3]}}, ["a", "äöü"], ["", "abcd", 2, null, ["a"], {"a": 1}]],
		[{"counts": {"p": [1, 2]}}, [["a"], [1, 2]], [[], [1, 2, 3], "ab", 2, null, {"a": 1}]],
		[{"between": {"p": [1, 5]}, "among": {"p": [2, 7]}}, [2], [3, 7]],
		[{"among": {"p": ["a", "b"]}, "checks": [{"parameter": "p", "condition": "in", "limit": ["b", "c"]}]}, ["b"], ["a", "c"]],
	] {
		every value in row[1] {
			plainly(row[0], {"p": value}).effect == "allow"
		}
		every value in row[2] {
			plainly(row[0], {"p": value}).effect == "deny"
		}
		plainly(row[0], {"q": row[1][0]}).effect == "deny"
	}
}

test_a_plain_rule_without_one_of_its_kinds_of_checks_allows_nothing if {
	every kind in ["between", "lengths", "counts", "among", "matching", "checks", "policies", "limits"] {
		whole := plainly_paying(form([], []), {})
		torn := json.remove(whole, [sprintf("/plain/bank/pay/%s", [kind])])
		policies := object.union(only("payer", [], []), {"forms": [torn], "scopes": {"acme/emea/payer": [0, ["p"], []]}})
		decision := authz.decide(pay({})) with data.aegis.policies as policies
		decision.effect == "deny"
	}
}

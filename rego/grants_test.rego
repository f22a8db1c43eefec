package aegis.authz_test

import data.aegis.authz

limit(name, values) := {"parameter": name, "path": [name], "values": values}

narrowing(tools) := {"exp": 2000, "tools": tools}

grant(narrowings) := {"time": 1000, "narrowings": narrowings}

under(call, narrowings) := {"call": call, "grant": grant(narrowings)}

allowing := only("payer", [bank([rule])], [])

paying(parameters, narrowings) := decision if {
	decision := authz.decide(under(pay(parameters), narrowings)) with data.aegis.policies as allowing
}

outcome(parameters, narrowings) := paying(parameters, narrowings).reason

pinned := narrowing({"bank": {"pay": [limit("payee", ["Muster"]), limit("amount", [1, 2.5, true])]}})

test_what_policy_and_grant_allow_is_allowed if {
	outcome({"payee": "Muster", "amount": 2.5}, [pinned]) == "ALLOWED"
	outcome({"payee": "Muster", "amount": 1}, [narrowing({"*": {"*": []}}), pinned]) == "ALLOWED"
	outcome({}, [narrowing({"bank": {"*": []}})]) == "ALLOWED"
}

test_a_plain_rule_allows_nothing_past_a_grant if {
	policies := object.union(allowing, {
		"forms": [plainly_paying(form([bank([rule])], []), {})],
		"scopes": {"acme/emea/payer": [0, ["bank-policy"], []]},
	})
	every row in [[{"payee": "Muster", "amount": 1}, "ALLOWED"], [{"payee": "Evil", "amount": 1}, "GRANT_EXCEEDED"]] {
		decision := authz.decide(under(pay(row[0]), [pinned])) with data.aegis.policies as policies
		decision.reason == row[1]
	}
}

test_what_the_grant_does_not_name_is_refused if {
	every tools in [{"vault": {"pay": []}}, {"bank": {"refund": []}}, {"bank": {}}, {}] {
		decision := paying({}, [narrowing(tools)])
		[decision.effect, decision.reason, decision.findings] == ["deny", "GRANT_EXCEEDED", []]
		decision.policies == ["bank-policy"]
	}
}

test_every_narrowing_must_allow if {
	wide := narrowing({"bank": {"*": []}})
	outcome({"payee": "Evil", "amount": 1}, [wide, pinned]) == "GRANT_EXCEEDED"
	outcome({"payee": "Evil", "amount": 1}, [pinned, wide]) == "GRANT_EXCEEDED"
	outcome({"payee": "Evil", "amount": 1}, [wide]) == "ALLOWED"
}

test_another_value_is_refused_and_both_are_told if {
	decision := paying({"payee": "Evil", "amount": 1}, [pinned])
	decision.findings == [{"parameter": "payee", "condition": "in", "limit": ["Muster"], "seen": "Evil"}]
	decision.detail == "the grant allows other values"
}

test_a_value_that_is_not_there_is_refused if {
	decision := paying({"amount": 1}, [pinned])
	decision.findings == [{"parameter": "payee", "condition": "missing", "limit": null, "seen": null}]
}

test_values_are_compared_exactly if {
	every value in ["1", 1.1, false, null, [1], {"a": 1}] {
		outcome({"payee": "Muster", "amount": value}, [pinned]) == "GRANT_EXCEEDED"
	}
	outcome({"payee": "Muster", "amount": true}, [pinned]) == "ALLOWED"
	outcome({"payee": "Muster", "amount": 1.0}, [pinned]) == "ALLOWED"
}

test_a_second_value_under_a_like_name_is_refused if {
	outcome({"payee": "Muster", "Payee": "Evil", "amount": 1}, [pinned]) == "GRANT_EXCEEDED"
	outcome({"payee": "Muster", " payee": "Muster", "amount": 1}, [pinned]) == "ALLOWED"
	outcome({"Payee": "Muster", "amount": 1}, [pinned]) == "GRANT_EXCEEDED"
}

test_a_value_inside_another_is_pinned_by_its_path if {
	deep_limit := {"parameter": "/to/iban", "path": ["to", "iban"], "values": ["DE1"]}
	deeply := narrowing({"bank": {"pay": [deep_limit]}})
	outcome({"to": {"iban": "DE1"}}, [deeply]) == "ALLOWED"
	every parameters in [{"to": {"iban": "DE2"}}, {"to": "DE1"}, {"to": {"iban": "DE1"}, "To": "{}"}, {}] {
		outcome(parameters, [deeply]) == "GRANT_EXCEEDED"
	}
}

test_a_grant_that_has_ended_is_told_as_such if {
	over := object.union(pinned, {"exp": 1000})
	outcome({"payee": "Muster", "amount": 1}, [over]) == "GRANT_EXPIRED"
	outcome({"payee": "Muster", "amount": 1}, [pinned, over]) == "GRANT_EXPIRED"
}

test_what_policy_refuses_no_grant_allows if {
	capped_rule := object.union(rule, {"values": [amount(at_most(5))]})
	policies := only("payer", [bank([capped_rule])], [])
	any_call := [narrowing({"*": {"*": []}})]
	decision := authz.decide(under(pay({"amount": 6}), any_call)) with data.aegis.policies as policies
	decision.reason == "POLICY_DENIED"
	absent := authz.decide(under(pay({}), any_call)) with data.aegis.policies as only("other", [], [])
	absent.reason == "POLICY_ABSENT"
	abroad := authz.decide(under(to_host("payer", "evil.example"), any_call)) with data.aegis.policies as allowing
	abroad.reason == "EGRESS_DENIED"
}

test_what_needs_an_approval_needs_the_grant_too if {
	policies := only("payer", [bank([object.union(rule, {"effect": "approval_needed"})])], [])
	every row in [["Muster", "APPROVAL_NEEDED"], ["Evil", "GRANT_EXCEEDED"]] {
		call := under(pay({"payee": row[0], "amount": 1}), [pinned])
		decision := authz.decide(call) with data.aegis.policies as policies
		decision.reason == row[1]
	}
}

test_an_agent_that_is_only_observed_is_held_to_its_grant if {
	policies := only("payer", [], [bank([rule])])
	every row in [["Muster", "SHADOWED"], ["Evil", "GRANT_EXCEEDED"]] {
		call := under(pay({"payee": row[0], "amount": 1}), [pinned])
		decision := authz.decide(call) with data.aegis.policies as policies
		[decision.reason, decision.would] == [row[1], "allow"]
	}
}

test_a_grant_that_cannot_be_read_denies if {
	call := pay({"payee": "Muster", "amount": 1})
	every broken in [
		{}, null, "x", {"time": 1000}, {"time": 1000, "narrowings": []}, {"time": 1000, "narrowings": {"a": pinned}},
		{"time": "1", "narrowings": [pinned]}, {"time": 1000, "narrowings": [{"exp": 2000}]},
		{"time": 1000, "narrowings": [object.union(pinned, {"exp": "2000"})]},
		{"time": 1000, "narrowings": [narrowing({"bank": {"pay": null}})]},
		{"time": 1000, "narrowings": [narrowing({"bank": {"pay": {"a": 1}}})]},
		{"time": 1000, "narrowings": [narrowing({"bank": {"pay": [{"parameter": "payee", "path": ["payee"], "values": "Muster"}]}})]},
		{"time": 1000, "narrowings": [narrowing({"bank": {"pay": [null]}})]},
	] {
		decision := authz.decide({"call": call, "grant": broken}) with data.aegis.policies as allowing
		decision.effect == "deny"
	}
	missing := authz.decide({"call": call}) with data.aegis.policies as allowing
	missing.effect == "deny"
	twice := authz.decide(under(under(call, [pinned]), [pinned])) with data.aegis.policies as allowing
	twice.effect == "deny"
}

hub_tools := {"hub": {"read": [rule], "sponsor": [rule]}}

listing(method, documents, narrowings) := decision if {
	policies := only("coder", documents, [])
	decision := authz.decide(under(mcp(method), narrowings)) with data.aegis.policies as policies
}

test_messages_of_a_session_go_with_any_tool_of_the_server if {
	documents := [document("hub-policy", hub_tools)]
	reading := [narrowing({"hub": {"read": []}})]
	every method in ["initialize", "ping", "notifications/initialized", "tools/list"] {
		listing(method, documents, reading).effect != "deny"
	}
	listing("initialize", documents, [narrowing({"other": {"read": []}})]).reason == "GRANT_EXCEEDED"
	listing("resources/read", [document("p", {"hub": {"*": [rule]}})], reading).reason == "GRANT_EXCEEDED"
	reader := [narrowing({"hub": {"resources/read": []}})]
	listing("resources/read", [document("p", {"hub": {"*": [rule]}})], reader).reason == "ALLOWED"
}

names_of(decision) := [obligation.allowed | some obligation in decision.obligations; obligation.kind == "filter_tools"]

test_a_list_of_tools_shows_what_policy_and_grant_show if {
	documents := [document("hub-policy", hub_tools)]
	decision := listing("tools/list", documents, [narrowing({"hub": {"read": [], "secret": []}})])
	[decision.effect, decision.reason, names_of(decision)] == ["sanitize", "SANITIZED", [["read"]]]
	both := [narrowing({"hub": {"read": [], "sponsor": []}}), narrowing({"hub": {"sponsor": []}})]
	names_of(listing("tools/list", documents, both)) == [["sponsor"]]
	names_of(listing("tools/list", documents, [narrowing({"*": {"*": []}})])) == [["read", "sponsor"]]
}

test_where_policy_shows_all_tools_the_grant_still_filters if {
	open := [document("p", {"hub": {"*": [rule]}})]
	decision := listing("tools/list", open, [narrowing({"hub": {"read": []}})])
	[decision.effect, decision.reason, names_of(decision)] == ["sanitize", "SANITIZED", [["read"]]]
	hiding := [object.union(open[0], {"denied": {"hub": {"Sponsor": [denial("no", [])]}}})]
	hidden := listing("tools/list", hiding, [narrowing({"hub": {"read": [], "sponsor": []}})])
	names_of(hidden) == [["read"]]
	[obligation.kind | some obligation in hidden.obligations] == ["filter_tools"]
	headed := [document("p", {"hub": {"*": [object.union(rule, {"headers": [{"name": "x-a", "value": "1"}]})]}})]
	kept := listing("tools/list", headed, [narrowing({"hub": {"read": []}})])
	[obligation.kind | some obligation in kept.obligations] == ["set_header", "filter_tools"]
}

test_an_explanation_says_which_part_of_the_grant_failed if {
	explanations := authz.explanations with input as {"calls": [
		under(pay({"payee": "Evil"}), [pinned]),
		under(pay({}), [object.union(narrowing({"vault": {"*": []}}), {"exp": 5})]),
		under(mcp("ping"), [narrowing({"hub": {"read": []}})]),
		pay({}),
	]}
		with data.aegis.policies as allowing
	[explanation.decision.reason | some explanation in explanations] == ["GRANT_EXCEEDED", "GRANT_EXPIRED", "POLICY_ABSENT", "ALLOWED"]
	explanations[0].grant == [{
		"is_over": false, "tool": true, "action": true,
		"values": [
			{"parameter": "payee", "allowed": ["Muster"], "seen": "Evil", "there": true, "holds": false},
			{"parameter": "amount", "allowed": [1, 2.5, true], "seen": null, "there": false, "holds": false},
		],
	}]
	explanations[1].grant == [{"is_over": true, "tool": false, "action": false, "values": []}]
	explanations[2].grant == [{"is_over": false, "tool": true, "action": true, "values": []}]
	[explanations[3].grant, count(explanations[0].documents)] == [null, 1]
	pinned_well := authz.explained(under(pay({"payee": "Muster", "amount": 1}), [pinned])) with data.aegis.policies as allowing
	[row.holds | some row in pinned_well.grant[0].values] == [true, true]
}

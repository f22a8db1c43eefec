package aegis.authz_test

import data.aegis.authz

limited(ids) := object.union(rule, {"limits": ids})

with_limits(document, tools) := object.union(document, {"limits": tools})

met(agent_call, enforced, observed) := decision.limits if {
	decision := authz.decide(agent_call) with data.aegis.policies as only("payer", enforced, observed)
}

met_by_coder(method, enforced) := decision.limits if {
	decision := authz.decide(mcp(method)) with data.aegis.policies as only("coder", enforced, [])
}

test_a_call_meets_the_limits_of_every_rule_that_lists_it_each_once_and_sorted if {
	met(pay({}), [bank([limited(["b", "c"])]), bank([limited(["a", "b"])])], []) == ["a", "b", "c"]
	met(pay({}), [bank([rule])], []) == []
	met(pay({}), [document("any", {"bank": {"*": [limited(["a"])], "other": [limited(["z"])]}})], []) == ["a"]
}

test_a_call_meets_the_entries_about_its_tool_and_action_and_those_about_all if {
	entries := {"*": {"*": ["a"]}, "bank": {"*": ["b"], "pay": ["c"], "get": ["z"]}, "shop": {"*": ["z"]}}
	met(pay({}), [with_limits(bank([rule]), entries)], []) == ["a", "b", "c"]
}

test_a_document_without_rules_limits_what_others_allow if {
	met(pay({}), [bank([rule]), with_limits(document("house", {}), {"*": {"*": ["a"]}})], []) == ["a"]
}

test_a_call_that_is_denied_meets_no_limit if {
	refusing := object.union(limited(["a"]), {"values": [amount(at_most(5))]})
	met(pay({"amount": 6}), [with_limits(bank([refusing]), {"*": {"*": ["b"]}})], []) == []
	met(pay({"amount": 5}), [with_limits(bank([refusing]), {"*": {"*": ["b"]}})], []) == ["a", "b"]
}

test_a_call_that_waits_for_an_approval_meets_its_limits if {
	asks := object.union(limited(["a"]), {"values": [asking(amount(at_most(9)), over(5))]})
	met(pay({"amount": 6}), [bank([asks])], []) == ["a"]
}

test_limits_of_shadow_documents_are_not_met if {
	met(pay({}), [], [bank([limited(["a"])])]) == []
	met(pay({}), [bank([limited(["b"])])], [bank([limited(["a"])])]) == ["b"]
}

test_a_limit_of_a_tools_name_is_about_every_spelling_of_it if {
	entries := {"hub": {"delete": ["a"]}}
	hub := with_limits(document("hub-policy", {"hub": {"*": [rule]}}), entries)
	every name in ["delete", "Delete", " delete", "DELETE"] {
		decision := authz.decide(call("payer", "mcp_tool", "hub", name, {}))
			with data.aegis.policies as only("payer", [hub], [])
		decision.limits == ["a"]
	}
	http := with_limits(document("hub-policy", {"hub": {"*": [rule]}}), entries)
	decision := authz.decide(call("payer", "http", "hub", "Delete", {}))
		with data.aegis.policies as only("payer", [http], [])
	decision.limits == []
}

test_messages_of_a_session_meet_a_limit_only_where_it_names_them if {
	hub := document("hub-policy", {"hub": {"*": [limited(["r"])]}})
	met_by_coder("tools/list", [with_limits(hub, {"*": {"*": ["a"]}, "hub": {"*": ["b"]}})]) == []
	met_by_coder("tools/list", [with_limits(hub, {"hub": {"tools/list": ["c"], "*": ["b"]}})]) == ["c"]
	met_by_coder("notifications/cancelled", [with_limits(hub, {"*": {"*": ["a"]}})]) == []
	met_by_coder("resources/read", [with_limits(hub, {"*": {"*": ["a"]}})]) == ["a", "r"]
}

test_a_host_that_no_tool_claims_meets_no_limit if {
	document_of_all := with_limits(bank([rule]), {"*": {"*": ["a"]}})
	decision := authz.decide(to_host("payer", "evil.example"))
		with data.aegis.policies as only("payer", [document_of_all], [])
	decision.limits == []
}

test_what_a_plain_rule_allows_meets_the_limits_that_it_names if {
	plainly({}, {}).limits == ["spend"]
}

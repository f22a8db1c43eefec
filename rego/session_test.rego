package aegis.authz_test

import data.aegis.authz

hub(actions) := document("hub-policy", {"hub": actions})

coded(documents, method) := decision if {
	decision := authz.decide(mcp(method)) with data.aegis.policies as only("coder", documents, [])
}

streaming := object.union(rule, {
	"effect": "sanitize",
	"redact": [
		{"target": "request", "detectors": ["us_ssn"], "fields": []},
		{"target": "response", "detectors": ["us_ssn"], "fields": []},
	],
})

test_lifecycle_messages_are_open_to_whoever_may_use_the_server if {
	every method in authz.lifecycle - authz.listing {
		decision := coded([hub({"list_issues": [rule]})], method)
		[decision.effect, decision.reason, decision.obligations] == ["allow", "ALLOWED", []]
	}
	coded([hub({"list_issues": [rule]})], "notifications/initialized").effect == "allow"
}

test_lifecycle_messages_are_closed_to_everyone_else if {
	decision := coded([document("other", {"bank": {"pay": [rule]}})], "initialize")
	[decision.effect, decision.reason] == ["deny", "POLICY_DENIED"]
	stranger := authz.decide(mcp("initialize")) with data.aegis.policies as only("payer", [hub({"a": [rule]})], [])
	stranger.reason == "POLICY_ABSENT"
}

test_tools_list_shows_the_allowed_tools_alone if {
	decision := coded([hub({"list_issues": [rule], "create_issue": [rule]})], "tools/list")
	[decision.effect, decision.reason] == ["sanitize", "SANITIZED"]
	decision.obligations == [{"kind": "filter_tools", "allowed": ["create_issue", "list_issues"]}]
}

test_tools_list_is_whole_where_every_tool_is_allowed if {
	decision := coded([hub({"*": [rule], "list_issues": [rule]})], "tools/list")
	[decision.effect, decision.obligations] == ["allow", []]
}

test_tools_list_leaves_out_what_is_denied_whatever_the_call_where_every_tool_is_allowed if {
	every method in ["tools/list", "http:get", "subscriptions/listen"] {
		closed := object.union(hub({"*": [rule]}), {"denied": {"hub": {"b": [denial("d", [])], "c": [denial("d", [amount([])])]}}})
		decision := coded([closed], method)
		[decision.effect, decision.obligations] == ["sanitize", [{"kind": "hide_tools", "hidden": ["b"]}]]
		house := object.union(hub({}), {"denied": {"hub": {"a": [denial("d", [])]}}})
		coded([closed, house], method).obligations == [{"kind": "hide_tools", "hidden": ["a", "b"]}]
	}
	other := object.union(hub({"B": [rule], "a": [rule]}), {"denied": {"hub": {"b": [denial("d", [])]}}})
	coded([other], "tools/list").obligations == [{"kind": "filter_tools", "allowed": ["a"]}]
}

test_a_denied_tool_is_denied_in_every_spelling if {
	closed := object.union(hub({"*": [rule], "Wipe": [rule]}), {"denied": {"hub": {"wipe": [denial("d", [])]}}})
	every name in ["wipe", "Wipe", " wipe", "wi\u200bpe", "wipe\n"] {
		coded([closed], name).effect == "deny"
	}
	coded([closed], "wipes").effect == "allow"
	payment := object.union(bank([rule]), {"denied": {"bank": {"Pay": [denial("d", [])]}}})
	decision := authz.decide(pay({})) with data.aegis.policies as only("payer", [payment], [])
	decision.effect == "allow"
}

test_messages_are_redacted_both_ways_as_those_of_any_of_the_servers_tools if {
	every method in ["response", "notifications/progress", "completion/complete", "initialize"] {
		decision := coded([hub({"list_issues": [rule], "read": [streaming]})], method)
		decision.effect == "sanitize"
		decision.obligations == [
			{"kind": "redact", "target": "request", "detectors": ["us_ssn"], "fields": []},
			{"kind": "redact", "target": "response", "detectors": ["us_ssn"], "fields": []},
		]
	}
	count(coded([hub({"read": [streaming]})], "tools/list").obligations) == 3
}

test_a_stream_that_may_repeat_a_list_of_tools_shows_the_allowed_ones_alone if {
	every method in ["http:get", "subscriptions/listen"] {
		decision := coded([hub({"list_issues": [rule]})], method)
		decision.obligations == [{"kind": "filter_tools", "allowed": ["list_issues"]}]
		coded([hub({"*": [rule]})], method).effect == "allow"
	}
}

test_other_methods_are_actions_of_that_name if {
	coded([hub({"list_issues": [rule]})], "resources/read").reason == "POLICY_DENIED"
	coded([hub({"resources/read": [rule]})], "resources/read").effect == "allow"
	coded([hub({"*": [streaming]})], "prompts/get").effect == "sanitize"
}

test_an_observed_agents_session_goes_through if {
	policies := only("coder", [], [hub({"list_issues": [rule]})])
	listing := authz.decide(mcp("tools/list")) with data.aegis.policies as policies
	reading := authz.decide(mcp("resources/read")) with data.aegis.policies as policies
	[listing.effect, listing.reason, listing.would] == ["allow", "SHADOWED", "sanitize"]
	[reading.effect, reading.reason, reading.would] == ["allow", "SHADOWED", "deny"]
}

test_tools_that_are_denied_outright_are_not_shown if {
	closed := object.union(hub({"a": [rule], "b": [rule]}), {"denied": {"hub": {"b": [denial("d", [])]}}})
	coded([closed], "tools/list").obligations == [{"kind": "filter_tools", "allowed": ["a"]}]
	sometimes := object.union(closed, {"denied": {"hub": {"b": [denial("d", [amount([])])]}}})
	coded([sometimes], "tools/list").obligations == [{"kind": "filter_tools", "allowed": ["a", "b"]}]
}

test_the_session_of_a_server_that_is_denied_or_abroad_is_closed if {
	denied := object.union(hub({"a": [rule]}), {"denied": {"hub": {"*": [denial("d", [])]}}})
	abroad := object.union(hub({"a": [rule]}), {"regions": ["eu"]})
	every closed in [denied, abroad] {
		decision := coded([closed], "initialize")
		[decision.effect, decision.reason] == ["deny", "POLICY_DENIED"]
	}
}

with_header(value) := object.union(rule, {"headers": [{"name": "x-a", "value": value}]})

test_a_session_carries_the_headers_of_its_rules if {
	carried := coded([hub({"a": [with_header("1")], "b": [with_header("1")]})], "initialize")
	carried.obligations == [{"kind": "set_header", "name": "x-a", "value": "1"}]
	torn := coded([hub({"a": [with_header("1")], "b": [with_header("2")]})], "initialize")
	torn.effect == "deny"
	listed := coded([hub({"a": [with_header("1")]})], "tools/list")
	[obligation.kind | some obligation in listed.obligations] == ["filter_tools", "set_header"]
}

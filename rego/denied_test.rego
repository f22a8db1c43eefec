package aegis.authz_test

import data.aegis.authz

refusing(denials) := object.union(bank([rule]), {"denied": {"bank": {"pay": denials}}})

denying(values, parameters) := decision if {
	policies := only("payer", [refusing([denial("no", values)])], [])
	decision := authz.decide(pay(parameters)) with data.aegis.policies as policies
}

test_without_conditions_a_rule_denies_always if {
	decision := denying([], {})
	[decision.effect, decision.reason, decision.detail] == ["deny", "POLICY_DENIED", "bank-policy: no denied"]
}

test_a_rule_denies_unless_a_condition_is_known_not_to_hold if {
	large := [amount([{"condition": "over", "limit": 5}])]
	denying(large, {"amount": 6}).effect == "deny"
	denying(large, {"amount": 5}).effect == "allow"
	both := array.concat(large, [value("payee", "string", [{"condition": "equals", "limit": "M"}])])
	denying(both, {"amount": 6, "payee": "M"}).effect == "deny"
	denying(both, {"amount": 6, "payee": "A"}).effect == "allow"
	denying(both, {"amount": 5, "payee": "M"}).effect == "allow"
}

test_what_is_missing_or_of_another_type_excuses_nothing_and_is_told if {
	large := [amount([{"condition": "over", "limit": 5}])]
	denying(large, {}).reason == "PARAMETER_MISSING"
	denying(large, {"amount": "5"}).reason == "PARAMETER_TYPE"
	denying(large, {"amount": null}).reason == "PARAMETER_TYPE"
}

test_what_cannot_be_read_excuses_nothing if {
	evil := [value("url", "string", [{"condition": "url_host_in", "limit": ["evil.example"], "hosts": {"evil.example": true}, "suffixes": []}])]
	denying(evil, {"url": "https://good.example/"}).effect == "allow"
	denying(evil, {"url": "https://good.example@evil.example/"}).effect == "deny"
	denying(evil, {"url": "https://evil.example/"}).effect == "deny"
}

test_an_optional_parameter_that_is_absent_excuses if {
	spec := optional(value("payee", "string", [{"condition": "equals", "limit": "M"}]))
	denying([spec], {}).effect == "allow"
	denying([spec], {"payee": "M"}).effect == "deny"
	denying([spec], {"Payee": "M"}).effect == "deny"
}

nullable(spec) := object.union(optional(spec), {"nullable": true})

test_null_is_absent_where_optional_is_written_and_nowhere_else if {
	small := nullable(amount(at_most(5)))
	decided([object.union(rule, {"values": [small]})], {"amount": null}).effect == "allow"
	decided([object.union(rule, {"values": [small]})], {"Amount": null}).effect == "allow"
	decided([object.union(rule, {"values": [small]})], {"amount": 6}).effect == "deny"
	decided([object.union(rule, {"values": [amount(at_most(5))]})], {"amount": null}).reason == "PARAMETER_TYPE"
	decided([object.union(rule, {"values": [deep(small)]})], {"a": {"b": null}}).effect == "allow"
	decided([object.union(rule, {"values": [deep(small)]})], {"a": null}).effect == "allow"
	decided([object.union(rule, {"values": [deep(small)]})], {"a": [null]}).reason == "PARAMETER_TYPE"
	large := amount([{"condition": "over", "limit": 5}])
	denying([nullable(large)], {"amount": null}).effect == "allow"
	denying([optional(large)], {"amount": null}).effect == "deny"
	denying([optional(value("amount", "any", []))], {"amount": null}).effect == "deny"
}

test_a_parameter_that_must_be_absent_denies_where_it_is_absent if {
	spec := object.union(optional(value("ticket", "any", [{"condition": "exists", "limit": false}])), {"forbidden": true})
	denying([spec], {}).effect == "deny"
	denying([spec], {"ticket": "T-1"}).effect == "allow"
}

test_a_parameter_that_must_be_absent_is_told_where_it_is_present if {
	spec := object.union(optional(value("force", "any", [{"condition": "exists", "limit": false}])), {"forbidden": true})
	decided([object.union(rule, {"values": [spec]})], {}).effect == "allow"
	decision := decided([object.union(rule, {"values": [spec]})], {"force": true})
	[decision.effect, decision.findings[0].condition] == ["deny", "exists"]
}

test_a_tool_outside_the_regions_of_a_document_is_denied if {
	pinned := object.union(bank([rule]), {"regions": ["eu"]})
	every row in [[{"bank": "eu"}, "allow"], [{"bank": "us"}, "deny"], [{}, "deny"]] {
		policies := object.union(only("payer", [pinned], []), {"regions": row[0]})
		decision := authz.decide(pay({})) with data.aegis.policies as policies
		decision.effect == row[1]
	}
}

test_conditions_may_ask_about_the_region_of_the_tool_and_what_surrounds_the_call if {
	asked := [
		around("region", "string", [{"condition": "in", "limit": ["eu"]}]),
		around("environment", "string", [{"condition": "equals", "limit": "test"}]),
	]
	tools := {"bank": {"pay": [object.union(rule, {"values": asked})]}}
	policies := object.union(only("payer", [document("p", tools)], []), {"regions": {"bank": "eu"}})
	here := authz.decide(pay({})) with data.aegis.policies as policies
	here.effect == "allow"
	elsewhere := authz.decide(pay({})) with data.aegis.policies as object.remove(policies, ["regions"])
	[elsewhere.effect, elsewhere.reason] == ["deny", "POLICY_DENIED"]
	elsewhere.findings[0].parameter == "context.region"
	alone := authz.decide(object.remove(pay({}), ["context"])) with data.aegis.policies as policies
	[alone.effect, alone.reason, alone.findings[0].condition] == ["deny", "POLICY_DENIED", "missing"]
}

deep(spec) := object.union(spec, {"label": "/a/b", "path": ["a", "b"]})

test_a_pointer_leads_into_parameters_and_other_spellings_of_it_too if {
	required := [object.union(rule, {"values": [deep(amount(at_most(5)))]})]
	decided(required, {"a": {"b": 5}}).effect == "allow"
	decided(required, {"a": {"b": 6}}).effect == "deny"
	decided(required, {"a": {"B": 5}}).reason == "PARAMETER_MISSING"
	decided(required, {"a": [5]}).reason == "PARAMETER_MISSING"
	loose := [object.union(rule, {"values": [deep(optional(amount(at_most(5))))]})]
	decided(loose, {"a": {}}).effect == "allow"
	decided(loose, {"A": {"B": 6}}).effect == "deny"
	decided(loose, {"other": ["x", 1]}).effect == "allow"
	every way in [{"a": ["x", 1]}, {"a": 6}, {"a": "{\"b\": 6}"}, {"A": [{"b": 6}]}, {"a": null}] {
		decided(loose, way).reason == "PARAMETER_TYPE"
		denying([deep(optional(amount([{"condition": "over", "limit": 5}])))], way).effect == "deny"
	}
}

with_headers(headers) := object.union(rule, {"headers": headers})

test_headers_of_all_rules_are_set_and_two_values_of_one_deny if {
	one := [{"name": "x-a", "value": "1"}]
	lent := [{"name": "authorization", "credential": "c", "prefix": "Bearer "}]
	decided([with_headers(one), with_headers(one), with_headers(lent)], {}).obligations == [
		{"kind": "inject_credential", "header": "authorization", "credential": "c", "prefix": "Bearer "},
		{"kind": "set_header", "name": "x-a", "value": "1"},
	]
	torn := decided([with_headers(one), with_headers([{"name": "x-a", "value": "2"}])], {})
	[torn.effect, torn.reason, torn.obligations] == ["deny", "POLICY_DENIED", []]
	held := decided([with_headers(one), object.union(with_headers(lent), {"effect": "approval_needed"})], {})
	[held.effect, count(held.obligations)] == ["approval_needed", 2]
}

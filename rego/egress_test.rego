package aegis.authz_test

import data.aegis.authz

anything := {"ports": null, "schemes": null, "methods": null}

narrow := {"ports": [443], "schemes": ["https"], "methods": ["POST"]}

known := object.union(document("egress-policy", {}), {"egress": {
	"hosts": {"api.openai.com": [anything], "mail.example": [narrow]},
	"suffixes": [object.union(anything, {"suffix": ".slack.com"}), object.union(narrow, {"suffix": ".hooks.example"})],
}})

reason(host) := decision.reason if {
	decision := authz.decide(to_host("payer", host)) with data.aegis.policies as only("payer", [known], [])
	decision.effect == "deny"
}

test_a_known_host_that_no_tool_claims_is_named_as_such if {
	reason("api.openai.com") == "TOOL_UNKNOWN"
	reason("a.slack.com") == "TOOL_UNKNOWN"
	reason("a.b.slack.com") == "TOOL_UNKNOWN"
}

test_other_hosts_are_foreign_and_suffixes_end_at_labels if {
	every host in [
		"slack.com", "xslack.com", ".slack.com", "a.slack.com.evil.example", "a.slack.com.",
		"openai.com", "x.api.openai.com", "", "169.254.169.254",
	] {
		reason(host) == "EGRESS_DENIED"
	}
}

test_no_document_is_another_reason if {
	decision := authz.decide(to_host("stranger", "a.slack.com")) with data.aegis.policies as only("payer", [known], [])
	[decision.effect, decision.reason] == ["deny", "POLICY_ABSENT"]
}

test_observing_documents_open_no_host if {
	decision := authz.decide(to_host("payer", "a.slack.com")) with data.aegis.policies as only("payer", [], [known])
	[decision.effect, decision.reason, decision.would] == ["deny", "EGRESS_DENIED", "deny"]
}

place(changes) := decision.reason if {
	base := {"port": 443, "scheme": "https", "method": "POST"}
	asked := object.union(call("payer", "unclaimed", "", "", {}), {"resource": {"properties": object.union(base, changes)}})
	decision := authz.decide(asked) with data.aegis.policies as only("payer", [known], [])
}

test_a_host_may_be_known_for_some_ports_schemes_and_methods_alone if {
	every host in ["mail.example", "a.hooks.example"] {
		place({"host": host}) == "TOOL_UNKNOWN"
		every other in [{"port": 80}, {"port": null}, {"scheme": "http"}, {"method": "GET"}] {
			place(object.union({"host": host}, other)) == "EGRESS_DENIED"
		}
	}
}

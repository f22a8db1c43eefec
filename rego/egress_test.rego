package aegis.authz_test

import data.aegis.authz

known := object.union(document("egress-policy", {}), {"egress": {
	"hosts": {"api.openai.com": true},
	"suffixes": [".slack.com"],
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

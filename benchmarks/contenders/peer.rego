# What an opa-envoy-plugin user writes for the same decisions: the token verified, the call looked up by
# address, the policy by agent, three conditions held. Nothing is searched.
package envoy.authz

import input.attributes.request.http

default allow := false

allow if {
	call := data.tools[http.host][http.method][http.path]
	rule := data.policies[concat("/", [claims.org, claims.tenant, claims.agent])][call.tool][call.action]
	parameters := input.parsed_body
	is_number(parameters.amount)
	parameters.amount >= 0
	parameters.amount <= rule.most
	rule.currencies[parameters.currency]
	regex.match(rule.reference, parameters.reference)
}

claims := verified[2] if {
	verified[0] == true
	verified[1].typ == "aegis+jwt"
}

verified := io.jwt.decode_verify(
	http.headers["x-aegis-token"],
	{"cert": data.jwks, "alg": "EdDSA", "iss": "aegis", "aud": "aegis-mesh"},
)

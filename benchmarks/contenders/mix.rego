# What an opa-envoy-plugin user writes for the world of the mix: the token verified, the call looked up by host,
# method and path or by the name of an MCP tool, the agent's rule for it looked up, its conditions held. Nothing is
# searched. What Aegis holds for an approval is denied: the plugin has nobody to ask.
package envoy.authz

import input.attributes.request.http

default allow := false

allow if {
	rule := data.policies[concat("/", [claims.org, claims.tenant, claims.agent])][place.tool][call.action]
	meets(call.shape, rule)
}

place := data.places[http.host]

path := input.parsed_path

call := route if {
	route := place.routes[http.method][format_int(count(path), 10)]
	path[0] == "v1"
	path[1] == place.noun
	ends(route.last)
}

call := {"action": name, "shape": place.mcp[name]} if {
	path == ["mcp"]
	http.method == "POST"
	input.parsed_body.method == "tools/call"
	name := input.parsed_body.params.name
}

ends("") if count(path) < 4

ends(last) if path[3] == last

parameters := input.parsed_body if place.routes

parameters := input.parsed_body.params.arguments if place.mcp

subject := path[2] if place.routes

subject := input.parsed_body.params.arguments.id if place.mcp

meets("create", rule) if {
	is_number(parameters.amount)
	parameters.amount >= 0
	parameters.amount <= rule.held_over
	rule.currencies[parameters.currency]
	regex.match(rule.reference, parameters.reference)
}

meets("update", rule) if {
	regex.match(rule.id, subject)
	rule.statuses[parameters.status]
	count(parameters.note) <= rule.note
}

meets("message", rule) if {
	regex.match(rule.id, subject)
	[_, domain] := split(parameters.to, "@")
	rule.domains[lower(domain)]
	count(parameters.subject) <= rule.subject
	is_array(parameters.labels)
	count(parameters.labels) <= rule.labels
}

meets("read", rule) if regex.match(rule.id, subject)

claims := verified[2] if {
	verified[0] == true
	verified[1].typ == "aegis+jwt"
}

verified := io.jwt.decode_verify(
	http.headers["x-aegis-token"],
	{"cert": data.jwks, "alg": "EdDSA", "iss": "aegis", "aud": "aegis-mesh"},
)

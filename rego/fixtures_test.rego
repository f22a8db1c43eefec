# What the tests share: calls and documents in the shape the compiler writes.
package aegis.authz_test

call(agent, kind, tool, name, parameters) := {
	"subject": {
		"type": "agent",
		"id": sprintf("acme/emea/%s", [agent]),
		"properties": {"org": "acme", "tenant": "emea", "agent": agent, "actors": []},
	},
	"action": {"name": name, "properties": parameters},
	"resource": {
		"type": kind,
		"id": tool,
		"properties": {"host": "host.example", "port": null, "method": "POST", "path": "/"},
	},
	"context": {"time": 1767225600500000000, "environment": "test", "source": "192.0.2.1"},
}

pay(parameters) := call("payer", "http", "bank", "pay", parameters)

mcp(method) := call("coder", "mcp_session", "hub", method, {})

to_host(agent, host) := object.union(
	call(agent, "unclaimed", "", "", {}),
	{"resource": {"properties": {"host": host}}},
)

rule := {
	"effect": "allow",
	"parameters": [],
	"thresholds": [],
	"redact": [],
	"approval": {"groups": [], "expires_in": 900},
}

amount(checks) := {"name": "amount", "optional": false, "type": "number", "checks": checks}

at_most(limit) := [{"condition": "min", "limit": 0}, {"condition": "max", "limit": limit}]

over(limit) := {"parameter": "amount", "condition": "approval_needed_over", "limit": limit}

document(name, tools) := {
	"name": name,
	"disclose": false,
	"tools": tools,
	"egress": {"hosts": {}, "suffixes": []},
}

# Policies of one agent alone.
only(agent, enforced, observed) := {
	"shapes": [["org", "tenant", "agent"]],
	"scopes": {sprintf("acme/emea/%s", [agent]): {"enforce": enforced, "shadow": observed}},
}

bank(rules) := document("bank-policy", {"bank": {"pay": rules}})

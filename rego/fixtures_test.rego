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
	"id": "allowed_tools[0]",
	"effect": "allow",
	"values": [],
	"redact": [],
	"headers": [],
	"approval": {"groups": [], "expires_in": 900},
}

# What a rule asks of one parameter.
value(name, kind, checks) := {
	"of": "parameters",
	"label": name,
	"path": [name],
	"optional": false,
	"type": kind,
	"checks": checks,
	"asks": [],
}

optional(spec) := object.union(spec, {"optional": true})

asking(spec, asks) := object.union(spec, {"asks": asks})

# What a rule asks of the circumstances of a call.
around(name, kind, checks) := object.union(
	value(name, kind, checks),
	{"of": "context", "label": sprintf("context.%s", [name])},
)

amount(checks) := value("amount", "number", checks)

at_most(limit) := [{"condition": "min", "limit": 0}, {"condition": "max", "limit": limit}]

over(limit) := [{"condition": "approval_needed_over", "limit": limit}]

denial(label, values) := {"id": label, "label": label, "values": values}

document(name, tools) := {
	"name": name,
	"disclose": false,
	"tools": tools,
	"denied": {},
	"regions": null,
	"egress": {"hosts": {}, "suffixes": []},
}

form(enforced, observed) := {
	"enforce": enforced,
	"shadow": observed,
	"titles": {
		"enforce": [document.name | some document in enforced],
		"shadow": [document.name | some document in observed],
	},
}

# With what is settled about payments: the texts that it names are the agent's own first and second.
plainly_paying(whole, checks) := object.union(whole, {"plain": {"bank": {"pay": object.union(
	{"policies": 1, "limits": 2, "between": {}, "lengths": {}, "counts": {}, "among": {}, "matching": {}, "checks": []},
	checks,
)}}})

# Policies of one agent alone.
only(agent, enforced, observed) := {
	"shapes": [["", "", ""]],
	"regions": {},
	"forms": [form(enforced, observed)],
	"scopes": {sprintf("acme/emea/%s", [agent]): [0]},
}

bank(rules) := document("bank-policy", {"bank": {"pay": rules}})

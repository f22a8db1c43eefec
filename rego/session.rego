# MCP messages that belong to the session and not to one tool: handshake, lists, streams.
package aegis.authz

lifecycle := {
	"initialize",
	"ping",
	"server/discover",
	"logging/setLevel",
	"tools/list",
	"resources/list",
	"resources/templates/list",
	"prompts/list",
	"completion/complete",
	"subscriptions/listen",
	"http:get",
	"http:delete",
	"response",
}

is_lifecycle(method) if method in lifecycle

is_lifecycle(method) if startswith(method, "notifications/")

# Methods whose answer can be a list of tools: a stream that is resumed repeats what another one carried.
listing := {"tools/list", "http:get", "subscriptions/listen"}

# Open to an agent with any rule for the server. A stream can carry any tool's results, and a notification or a
# reply to the server what any tool's arguments could: all of the agent's redactions for it apply.
session(call, documents) := opened(call.action.name, listed, hidden) if {
	listed := rules_for(call.resource.id, documents)
	hidden := denied_outright(call.resource.id, documents)
	count(listed) > 0
	not "*" in hidden
	not barred(call.resource.id, listed, documents)
} else := denial("POLICY_DENIED", "no rule lists this tool", names(documents)) if {
	count(rules_for(call.resource.id, documents)) == 0
} else := denial("POLICY_DENIED", "the tool is denied, or outside the regions of a document", names(documents)) if {
	count(rules_for(call.resource.id, documents)) > 0
}

barred(tool, _, documents) if {
	some document in documents
	outside(document, tool)
}

barred(_, listed, _) if contradictory(listed)

# Actions that a rule denies whatever the call.
denied_outright(tool, documents) := {name |
	some document in documents
	some name, rules in data.aegis.policies.forms[document.own[0]][document.mode][document.place].denied[tool]
	some rule in rules
	rule.values == []
}

rules_for(tool, documents) := [{"policy": document.name, "action": name, "redact": rule.redact, "headers": rule.headers} |
	some document in documents
	some name, rules in data.aegis.policies.forms[document.own[0]][document.mode][document.place].tools[tool]
	some rule in rules
]

opened(method, listed, hidden) := sanitized(deciders(listed), demanded) if {
	bodily := array.concat(redactions(listed), tool_filter(method, listed, hidden))
	count(bodily) > 0
	demanded := array.concat(bodily, headers(listed))
} else := passed("ALLOWED", deciders(listed), headers(listed)) if {
	count(redactions(listed)) == 0
	count(tool_filter(method, listed, hidden)) == 0
}

# Where every tool is allowed, those that are denied whatever the call are left out all the same.
tool_filter(method, listed, hidden) := [] if {
	not method in listing
} else := [{"kind": "hide_tools", "hidden": sort(hidden)}] if {
	method in listing
	"*" in actions_of(listed)
	count(hidden) > 0
} else := [] if {
	method in listing
	"*" in actions_of(listed)
	count(hidden) == 0
} else := [{"kind": "filter_tools", "allowed": sort(shown_actions(listed, hidden))}]

shown_actions(listed, hidden) := {name |
	some name in actions_of(listed)
	not spelling(name) in {spelling(other) | some other in hidden}
}

actions_of(listed) := {rule.action | some rule in listed}

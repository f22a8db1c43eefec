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
session(call, documents) := opened(call.action.name, listed) if {
	listed := rules_for(call.resource.id, documents)
	count(listed) > 0
} else := denial("POLICY_DENIED", "no rule lists this tool", names(documents)) if {
	count(rules_for(call.resource.id, documents)) == 0
}

rules_for(tool, documents) := [{"policy": document.name, "action": name, "redact": rule.redact} |
	some document in documents
	some name, rules in document.tools[tool]
	some rule in rules
]

opened(method, listed) := sanitized(deciders(listed), obligations) if {
	obligations := array.concat(redactions(listed), tool_filter(method, listed))
	count(obligations) > 0
} else := passed("ALLOWED", deciders(listed)) if {
	count(redactions(listed)) == 0
	count(tool_filter(method, listed)) == 0
}

tool_filter(method, listed) := [] if {
	not method in listing
} else := [] if {
	"*" in actions_of(listed)
} else := [{"kind": "filter_tools", "allowed": sort(actions_of(listed))}]

actions_of(listed) := {rule.action | some rule in listed}

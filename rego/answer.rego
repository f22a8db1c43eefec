# Decides what agents may do. `input.calls` is a list of calls in the shape of OpenID AuthZEN:
# subject, action, resource and context. The answer holds one decision for each call, in order.
#
# Everything is a function of one call: no `with`, so that a batch shares its evaluation, and no search
# over policies: documents are looked up by org, tenant and agent.
#
# In a chain of `else`, every branch repeats what keeps the stricter branches before it from being
# skipped: an expression that is undefined by mistake must never fall through to a milder answer.
package aegis.authz

answer := {
	"revision": data.aegis.revision,
	"decisions": [decide(call) | some call in input.calls],
}

# Whatever a call looks like it gets a decision; one left out would shift those after it.
default decide(_) := {
	"effect": "deny",
	"reason": "POLICY_DENIED",
	"detail": "the call has not a shape that policy can judge",
	"policies": [],
	"obligations": [],
	"findings": [],
	"approval": null,
	"would": null,
}

decide(call) := decision if {
	well_formed(call)
	who := call.subject.properties
	enforced := documents_of(who, "enforce")
	observed := documents_of(who, "shadow")
	decision := object.union(governed(call, enforced, observed), {"would": would(call, observed)})
}

well_formed(call) if {
	is_string(call.subject.properties.org)
	is_string(call.subject.properties.tenant)
	is_string(call.subject.properties.agent)
	is_string(call.action.name)
	is_object(call.action.properties)
	is_string(call.resource.id)
	is_string(call.resource.properties.host)
	call.resource.type in {"http", "mcp_tool", "mcp_session", "unclaimed"}
}

# The documents of an agent in one mode: at most eight look-ups, however many policies there are.
documents_of(who, mode) := [document |
	some org in {who.org, "*"}
	some tenant in {who.tenant, "*"}
	some agent in {who.agent, "*"}
	some document in data.aegis.policies[org][tenant][agent][mode]
]

# Enforcing documents decide alone. An agent that is only observed goes through, but not to foreign hosts.
governed(call, enforced, observed) := judged(call, enforced) if {
	count(enforced) > 0
} else := denial("POLICY_ABSENT", "no document covers the agent", []) if {
	count(enforced) == 0
	count(observed) == 0
} else := denial("EGRESS_DENIED", "the agent is only observed, and no tool claims the address", names(observed)) if {
	count(enforced) == 0
	count(observed) > 0
	call.resource.type == "unclaimed"
} else := passed("SHADOWED", "", names(observed), []) if {
	count(enforced) == 0
	count(observed) > 0
	call.resource.type != "unclaimed"
}

would(call, observed) := judged(call, observed).effect if {
	count(observed) > 0
} else := null if {
	count(observed) == 0
}

# What some documents, at least one, say to a call.
judged(call, documents) := foreign(call, documents) if {
	call.resource.type == "unclaimed"
} else := session(call, documents) if {
	call.resource.type == "mcp_session"
	is_lifecycle(call.action.name)
} else := action(call, documents) if {
	call.resource.type in {"http", "mcp_tool"}
} else := action(call, documents) if {
	call.resource.type == "mcp_session"
	not is_lifecycle(call.action.name)
}

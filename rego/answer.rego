# Decides what agents may do. `input.calls` is a list of calls in the shape of OpenID AuthZEN:
# subject, action, resource and context. The answer holds one decision for each call, in order.
#
# Everything is a function of one call: no `with`, so that a batch shares its evaluation, and no search
# over policies: documents are looked up by org, tenant and agent.
#
# In a chain of `else` the conditions of the branches exclude each other, so that an expression that is
# undefined by mistake never falls through to a milder answer. Common branches come first.
#
# Whoever says `brief` reads a plain allow as a list: its reason, policies and limits. All else is told in full.
package aegis.authz

answer := {
	"revision": data.aegis.revision,
	"decisions": [briefly(call) | some call in input.calls],
} if {
	input.brief == true
} else := {
	"revision": data.aegis.revision,
	"decisions": [decide(call) | some call in input.calls],
}

briefly(call) := ["ALLOWED", texts[0], texts[1]] if {
	texts := plainly_allowed(call)
} else := judge(call)

decide(call) := allowed(texts) if {
	texts := plainly_allowed(call)
} else := judge(call)

# Whatever a call looks like it gets a decision; one left out would shift those after it.
default judge(_) := {
	"effect": "deny",
	"reason": "POLICY_DENIED",
	"detail": "the call has not a shape that policy can judge",
	"policies": [],
	"obligations": [],
	"findings": [],
	"approval": null,
	"would": null,
	"limits": [],
}

judge(call) := decision if {
	decision := ruled(call)
} else := under_grant(call)

ruled(call) := decision if {
	is_object(call.action.properties)
	call.resource.type in {"http", "mcp_tool", "mcp_session", "unclaimed"}
	nodes := nodes_of(call.subject.properties)
	enforced := [document | some node in nodes; some document in node.enforce]
	observed := [document | some node in nodes; some document in node.shadow]
	governing := governed(call, enforced, observed)
	decision := object.union(governing, {
		"would": would(call, observed),
		"limits": limits_met(call, enforced, governing.effect),
	})
}

# Most calls meet rules that simply allow. Which those are was worked out when the documents were compiled
# (policy/compile/fast_path.py); a call for which all their conditions hold is allowed, as judging it in full would find.
# The commonest conditions are judged here: a function for each check costs three times as much. Found are the policies
# that allow it and the limits that it meets.
plainly_allowed(call) := [own[plain.policies], own[plain.limits]] if {
	call.resource.type in {"http", "mcp_tool"}
	who := call.subject.properties
	own := data.aegis.policies.scopes[concat("/", [who.org, who.tenant, who.agent])]
	plain := data.aegis.policies.forms[own[0]].plain[call.resource.id][call.action.name]
	parameters := call.action.properties
	is_object(parameters)
	every name, bounds in plain.between {
		value := parameters[name]
		value >= bounds[0]
		value <= bounds[1]
	}
	every name, bounds in plain.lengths {
		value := parameters[name]
		is_string(value)
		size := count(value)
		size >= bounds[0]
		size <= bounds[1]
	}
	every name, bounds in plain.counts {
		value := parameters[name]
		is_array(value)
		size := count(value)
		size >= bounds[0]
		size <= bounds[1]
	}
	every name, values in plain.among {
		parameters[name] in values
	}
	every name, pattern in plain.matching {
		regex.match(pattern, parameters[name])
	}
	every check in plain.checks {
		meets(check.condition, check, parameters[check.parameter])
	}
}

# Enforcing documents decide alone. An agent that is only observed goes through, but not to foreign hosts.
governed(call, enforced, observed) := judged(call, enforced) if {
	enforced != []
} else := denial("POLICY_ABSENT", "no document covers the agent", []) if {
	enforced == []
	observed == []
} else := denial("EGRESS_DENIED", "the agent is only observed, and no tool claims the address", names(observed)) if {
	enforced == []
	observed != []
	call.resource.type == "unclaimed"
} else := passed("SHADOWED", names(observed), []) if {
	enforced == []
	observed != []
	call.resource.type != "unclaimed"
}

would(call, observed) := null if {
	observed == []
} else := judged(call, observed).effect if {
	observed != []
}

# What some documents, at least one, say to a call.
judged(call, documents) := action(call, documents) if {
	call.resource.type in {"http", "mcp_tool"}
} else := foreign(call, documents) if {
	call.resource.type == "unclaimed"
} else := session(call, documents) if {
	call.resource.type == "mcp_session"
	is_lifecycle(call.action.name)
} else := action(call, documents) if {
	call.resource.type == "mcp_session"
	not is_lifecycle(call.action.name)
}

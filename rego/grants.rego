# What the grant of a token leaves of a decision: a call must satisfy policy and each narrowing of the grant.
#
# A call under a grant stands inside the question, as `call` beside `grant`: a library that knows no grants finds nothing
# there that it could judge, and denies. So does this one where it cannot read the grant.
package aegis.authz

under_grant(question) := narrowed(by_policy(question.call), question.call, question.grant)

by_policy(call) := allowed(texts) if {
	texts := plainly_allowed(call)
} else := ruled(call)

narrowed(decision, call, grant) := decision if {
	decision.effect == "deny"
} else := beyond("GRANT_EXPIRED", "the grant has ended", decision, []) if {
	decision.effect != "deny"
	is_over(grant)
} else := listing_granted(decision, call, grant) if {
	decision.effect != "deny"
	is_granted(grant, call)
} else := beyond("GRANT_EXCEEDED", excess_of(findings), decision, findings) if {
	decision.effect != "deny"
	not is_over(grant)
	not is_granted(grant, call)
	findings := [finding | some narrowing in grant.narrowings; some finding in ungranted(narrowing, call)]
}

beyond(reason, detail, decision, findings) := object.union(
	refused(reason, detail, decision.policies, findings),
	{"would": decision.would, "limits": []},
)

excess_of(findings) := "the grant allows no such tool or action" if {
	findings == []
} else := "the grant allows other values"

is_over(grant) if {
	some narrowing in grant.narrowings
	grant.time >= narrowing.exp
}

is_granted(grant, call) if {
	is_number(grant.time)
	is_array(grant.narrowings)
	count(grant.narrowings) > 0
	every narrowing in grant.narrowings {
		is_number(narrowing.exp)
		grant.time < narrowing.exp
		allows(narrowing, call)
	}
}

allows(narrowing, call) if {
	call.resource.type in {"http", "mcp_tool"}
	allows_action(narrowing, call)
}

# What belongs to a session and to no tool of the server goes with any of its tools.
allows(narrowing, call) if {
	call.resource.type == "mcp_session"
	is_lifecycle(call.action.name)
	is_object(named_or_any(narrowing.tools, call.resource.id))
}

allows(narrowing, call) if {
	call.resource.type == "mcp_session"
	not is_lifecycle(call.action.name)
	allows_action(narrowing, call)
}

allows_action(narrowing, call) if {
	seen := world(call)
	pins := pins_of(narrowing, call)
	is_array(pins)
	every pin in pins {
		is_pinned(pin, seen)
	}
}

# The values that the parameters of the call may have.
pins_of(narrowing, call) := named_or_any(named_or_any(narrowing.tools, call.resource.id), call.action.name)

named_or_any(members, name) := members[name]

named_or_any(members, name) := members["*"] if not has(members, name)

has(members, name) if {
	some key, _ in members
	key == name
}

# The value is there under its very name, and no reader finds another one under a name like it.
is_pinned(pin, seen) if {
	value := object.get(seen.parameters, pin.path, absent)
	is_array(pin.values)
	value in pin.values
	spelt_otherwise(seen, pin.path) == {value}
	not blocked(pin, seen)
}

ungranted(narrowing, call) := [finding |
	seen := world(call)
	some pin in pins_of(narrowing, call)
	not is_pinned(pin, seen)
	finding := unpinned(pin, object.get(seen.parameters, pin.path, absent))
]

unpinned(pin, value) := {"parameter": pin.parameter, "condition": "missing", "limit": null, "seen": null} if {
	value == absent
} else := finding(pin.parameter, "in", pin.values, value, true)

# A list of tools shows those that the grant names, of those that policy shows.
listing_granted(decision, call, grant) := decision if {
	not is_listing(call)
} else := decision if {
	is_listing(call)
	granted_names(call, grant) == []
} else := object.union(decision, {"effect": "sanitize", "reason": "SANITIZED", "obligations": obligations}) if {
	names := granted_names(call, grant)
	names != []
	is_listing(call)
	decision.effect in {"allow", "sanitize"}
	others := [obligation | some obligation in decision.obligations; not is_tool_filter(obligation)]
	shown_names := {name |
		some name in names[0]
		every granted in names {
			name in granted
		}
		every obligation in decision.obligations {
			shows(obligation, name)
		}
	}
	obligations := array.concat(others, [{"kind": "filter_tools", "allowed": sort(shown_names)}])
}

is_listing(call) if {
	call.resource.type == "mcp_session"
	call.action.name in listing
}

# Of each narrowing that does not leave all actions of the server: their names.
granted_names(call, grant) := [{name | some name, _ in actions} |
	some narrowing in grant.narrowings
	actions := named_or_any(narrowing.tools, call.resource.id)
	not has(actions, "*")
]

is_tool_filter(obligation) if obligation.kind in {"filter_tools", "hide_tools"}

shows(obligation, _) if not is_tool_filter(obligation)

shows(obligation, name) if {
	obligation.kind == "filter_tools"
	name in obligation.allowed
}

shows(obligation, name) if {
	obligation.kind == "hide_tools"
	not spelling(name) in {spelling(hidden) | some hidden in obligation.hidden}
}

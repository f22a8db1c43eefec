# Which limits a call meets: those of every rule that lists its action, and of every entry of `limits` that is about it.
# What they allow is counted when the call is settled; here they have ids alone.
package aegis.authz

# A call that is denied uses nothing up.
limits_met(_, _, "deny") := []

limits_met(call, documents, effect) := sort(limits_of_rules(call, documents) | limits_of_entries(call, documents)) if {
	effect != "deny"
}

limits_of_rules(call, documents) := {id |
	some document in documents
	some name, rules in data.aegis.policies.forms[document.own[0]][document.mode][document.place].tools[call.resource.id]
	is_limited(name, call)
	some rule in rules
	some text in rule.limits
	id := text_of(text, document.own)
}

limits_of_entries(call, documents) := {id |
	some document in documents
	some tool in [call.resource.id, "*"]
	some name, texts in data.aegis.policies.forms[document.own[0]][document.mode][document.place].limits[tool]
	is_limited(name, call)
	some text in texts
	id := text_of(text, document.own)
}

# A limit is about every spelling of a tool's name, as a denial is. Handshakes, lists and streams are no work of a tool:
# they meet a limit only where it names them.
is_limited(name, call) if name == call.action.name

is_limited("*", call) if not is_of_the_session(call)

is_limited(name, call) if {
	call.resource.type != "http"
	spelling(name) == spelling(call.action.name)
}

is_of_the_session(call) if {
	call.resource.type == "mcp_session"
	is_lifecycle(call.action.name)
}

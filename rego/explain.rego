# Why a call is decided as it is: every rule that was looked at, and what became of each of its conditions.
# The decision beside it is the one `answer` gives; nothing here decides.
package aegis.authz

explanations := [explained(question) | some question in input.calls]

explained(question) := {
	"decision": decide(question),
	"grant": grant_of(question, call),
	"documents": [looked_at(document, mode, call, documents) |
		nodes := nodes_of(call.subject.properties)
		some node in nodes
		some mode in ["enforce", "shadow"]
		documents := [document | some sibling in nodes; some document in sibling[mode]]
		some document in node[mode]
	],
} if {
	call := call_in(question)
}

call_in(question) := question.call if {
	has(question, "grant")
} else := question

# What each narrowing of the grant says to the call; null where there is none.
grant_of(question, call) := [narrowing_of(narrowing, call, question.grant.time) |
	some narrowing in question.grant.narrowings
] if {
	has(question, "grant")
} else := null

narrowing_of(narrowing, call, now) := {
	"is_over": is_past(narrowing.exp, now),
	"tool": lists(narrowing.tools, call.resource.id),
	"action": lists_action(narrowing, call),
	"values": [{
		"parameter": pin.parameter,
		"allowed": pin.values,
		"seen": seen_of(pin, seen),
		"there": object.get(seen.parameters, pin.path, absent) != absent,
		"holds": does_pin(pin, seen),
	} |
		some pin in pins_of(narrowing, call)
	],
} if {
	seen := world(call)
}

is_past(end, now) if {
	now >= end
} else := false

lists(members, name) if {
	is_object(named_or_any(members, name))
} else := false

lists_action(narrowing, call) if {
	is_array(pins_of(narrowing, call))
} else if {
	call.resource.type == "mcp_session"
	is_lifecycle(call.action.name)
	lists(narrowing.tools, call.resource.id)
} else := false

does_pin(pin, seen) if {
	is_pinned(pin, seen)
} else := false

seen_of(pin, seen) := value if {
	value := object.get(seen.parameters, pin.path, absent)
	value != absent
} else := null

looked_at(document, mode, call, documents) := {
	"name": document.name,
	"mode": mode,
	"regions": document.regions,
	"outside": is_outside(document, call),
	"rules": array.concat(allowing, denying_rules),
} if {
	seen := world(call)
	allowing := [{
		"id": rule.id,
		"outcome": waived(verdict(document, rule, seen), documents, call, seen).effect,
		"conditions": conditions_of(rule, seen),
	} |
		some rule in rules_of(document, call)
	]
	denying_rules := [{
		"id": rule.id,
		"outcome": outcome_of_denial(rule, seen),
		"conditions": conditions_of(rule, seen),
	} |
		some rule in denials_of(document, call)
	]
}

is_outside(document, call) if {
	outside(document, call.resource.id)
} else := false

outcome_of_denial(rule, seen) := "excused" if {
	excused(rule, seen)
} else := "deny"

conditions_of(rule, seen) := [condition |
	some spec in rule.values
	some condition in judged_conditions(spec, value_of(spec, seen), seen)
]

judged_conditions(spec, value, seen) := array.concat(
	[told_of(spec, "present", null, null, spec.optional, "deny")],
	[told_of(spec, check.condition, check.limit, null, null, otherwise) |
		some [otherwise, check] in all_checks(spec)
	],
) if {
	value == absent
} else := array.concat(
	[told_of(spec, "type", spec.type, value, false, "deny")],
	[told_of(spec, check.condition, check.limit, value, null, otherwise) |
		some [otherwise, check] in all_checks(spec)
	],
) if {
	not typed(spec.type, value)
} else := array.concat(
	[told_of(spec, "type", spec.type, value, true, "deny")],
	[told_of(spec, check.condition, check.limit, value, does_hold(check, value, seen), otherwise) |
		some [otherwise, check] in all_checks(spec)
	],
)

all_checks(spec) := array.concat(
	[["deny", check] | some check in spec.checks],
	[["approval_needed", check] | some check in spec.asks],
)

does_hold(check, value, seen) if {
	holds(check, value, seen)
} else := false

# `holds` is null where the condition was not reached.
told_of(spec, condition, limit, value, held_true, otherwise) := {
	"parameter": spec.label,
	"condition": condition,
	"limit": limit,
	"seen": value,
	"holds": held_true,
	"otherwise": otherwise,
}

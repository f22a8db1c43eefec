# The conditions on one parameter. A condition holds only when it provably does.
package aegis.authz

# No JSON value is a set, so a set stands for "not there".
absent := set()

default failures(_, _, _) := [{"parameter": "", "condition": "unreadable", "limit": null, "seen": null}]

failures(spec, parameters, disclose) := failures_of(spec, judged_value(spec, parameters), disclose)

# A tool whose reader ignores case takes Amount for amount. Where the parameter may be left out, the other
# spelling is judged as the parameter itself; where it may not, it is missing.
judged_value(spec, parameters) := object.get(parameters, spec.name, absent) if {
	not spec.optional
} else := value_of(parameters, spec.name) if {
	spec.optional
}

value_of(parameters, name) := parameters[name] if {
	name in object.keys(parameters)
} else := value if {
	not name in object.keys(parameters)
	some other, value in parameters
	lower(upper(other)) == lower(upper(name))
} else := absent

failures_of(spec, value, disclose) := [finding(spec.name, condition, check.limit, value, disclose) |
	some check in spec.checks
	condition := check.condition
	not holds(condition, check, value)
] if {
	value != absent
	typed(spec.type, value)
} else := [] if {
	value == absent
	spec.optional
} else := [{"parameter": spec.name, "condition": "missing", "limit": null, "seen": null}] if {
	value == absent
} else := [finding(spec.name, "type", spec.type, type_name(value), disclose)]

holds("max", check, value) if value <= check.limit

holds("min", check, value) if value >= check.limit

holds("equals", check, value) if value == check.limit

holds("in", check, value) if value in check.limit

holds("not_in", check, value) if {
	limit := check.limit
	is_array(limit)
	not value in limit
}

holds("matches", check, value) if regex.match(check.pattern, value)

holds("starts_with", check, value) if startswith(value, check.limit)

holds("approval_needed_over", check, value) if value <= check.limit

holds("approval_needed_in", check, value) if {
	limit := check.limit
	is_array(limit)
	not value in limit
}

holds("type", check, value) if typed(check.limit, value)

typed("any", _)

typed("string", value) if is_string(value)

typed("number", value) if is_number(value)

typed("integer", value) if {
	is_number(value)
	value == floor(value)
}

typed("boolean", value) if is_boolean(value)

typed("array", value) if is_array(value)

typed("object", value) if is_object(value)

finding(name, condition, limit, seen, disclose) := {
	"parameter": name,
	"condition": condition,
	"limit": limit,
	"seen": shown(seen),
} if {
	disclose
} else := {
	"parameter": name,
	"condition": condition,
	"limit": null,
	"seen": null,
}

# Only short plain values are worth repeating to the caller.
shown(value) := value if {
	is_number(value)
} else := value if {
	is_boolean(value)
} else := value if {
	is_string(value)
	count(value) <= 200
} else := null

# The conditions on one value. A condition holds only when it provably does.
package aegis.authz

# What refuses the call.
default failures(_, _, _) := [{"parameter": "", "condition": "unreadable", "limit": null, "seen": null}]

failures(spec, seen, disclose) := array.concat(unmet, incomparable) if {
	is_array(spec.asks)
	is_array(spec.checks)
	value := value_of(spec, seen)
	value != absent
	typed(spec.type, value)
	unmet := [finding(spec.label, check.condition, check.limit, value, disclose) |
		some check in spec.checks
		not holds(check, value, seen)
	]

	# What a value is compared with must be there, too, and of its type: no approval makes up for that.
	incomparable := [unlike(check, value, limit, disclose) |
		some check in array.concat(spec.checks, spec.asks)
		limit := object.get(seen.parameters, check.than, absent)
		not comparable(check.condition, value, limit)
	]
} else := [] if {
	is_array(spec.asks)
	value_of(spec, seen) == absent
	spec.optional
} else := [{"parameter": spec.label, "condition": "missing", "limit": null, "seen": null}] if {
	is_array(spec.asks)
	value_of(spec, seen) == absent
} else := [finding(spec.label, "type", spec.type, type_name(value), disclose)] if {
	is_array(spec.asks)
	value := value_of(spec, seen)
	value != absent
}

unlike(check, value, limit, disclose) := {"parameter": check.limit.parameter, "condition": "missing", "limit": null, "seen": null} if {
	limit == absent
} else := finding(check.limit.parameter, "type", type_name(value), type_name(limit), disclose) if limit != absent

# What an approval makes up for.
default excesses(_, _, _) := [{"parameter": "", "condition": "unreadable", "limit": null, "seen": null}]

excesses(spec, seen, disclose) := unmet if {
	is_array(spec.asks)
	value := value_of(spec, seen)
	value != absent
	typed(spec.type, value)
	unmet := [finding(spec.label, check.condition, check.limit, value, disclose) |
		some check in spec.asks
		not holds(check, value, seen)
	]
} else := [] if {
	value := value_of(spec, seen)
	refusing(spec, value)
}

# Whether `failures` has it that a value of the right type is not there.
refusing(_, value) if value == absent

refusing(spec, value) if {
	value != absent
	not typed(spec.type, value)
}

# Whether a condition of a rule that denies is known not to hold.
refuted(spec, seen) if {
	spec.optional
	not spec.forbidden
	value_of(spec, seen) == absent
}

refuted(spec, seen) if {
	value := value_of(spec, seen)
	value != absent
	typed(spec.type, value)
	some check in spec.checks
	not holds(check, value, seen)
	readable(check, value, seen)
}

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

# What must be done for a decision to hold, merged from all the rules that decided.
package aegis.authz

obligations(rules) := array.concat(redactions(rules), headers(rules))

# What all the rules want redacted, merged for each direction, and how.
redactions(rules) := array.concat(redacted(rules), redaction_terms(rules))

redacted(rules) := [{"kind": "redact", "target": target, "detectors": detectors, "fields": fields} |
	some target in ["request", "response"]
	wanted := [redact | some rule in rules; some redact in rule.redact; redact.target == target]
	wanted != []
	detectors := sort({detector | some redact in wanted; some detector in redact.detectors})
	fields := sort({field | some redact in wanted; some field in redact.fields})
]

# Where rules say how: what finds more wins, and what cannot be looked at passes only where all of them let it.
redaction_terms(rules) := [terms |
	some target in ["request", "response"]
	wanted := [redact | some rule in rules; some redact in rule.redact; redact.target == target]
	opaque := [redact | some redact in wanted; redact.opaque == "pass"]
	own := sort({detector | some redact in wanted; some detector in redact.own})
	flags := {
		"is_loose": count([redact | some redact in wanted; redact.match == "loose"]) > 0,
		"numbers": count([redact | some redact in wanted; redact.numbers]) > 0,
		"passes_opaque": passes_opaque(wanted, opaque),
	}
	not is_usual(flags, own)
	terms := object.union(flags, {"kind": "redaction_terms", "target": target, "own": own})
]

passes_opaque(wanted, opaque) if {
	wanted != []
	count(opaque) == count(wanted)
} else := false

is_usual(flags, own) if {
	own == []
	{value | some value in flags} == {false}
}

headers(rules) := [header_obligation(wanted) | some wanted in sort(headers_wanted(rules))]

header_obligation(wanted) := {"kind": "set_header", "name": wanted.name, "value": wanted.value} if {
	not wanted.credential
} else := {
	"kind": "inject_credential",
	"header": wanted.name,
	"credential": wanted.credential,
	"prefix": wanted.prefix,
}

headers_wanted(rules) := {header |
	some rule in rules
	some header in rule.headers
}

# One header cannot have two values.
contradictory(rules) if {
	wanted := headers_wanted(rules)
	count({header.name | some header in wanted}) < count(wanted)
}

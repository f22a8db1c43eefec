# Calls of one action: every rule that lists it gives a verdict, and the strictest verdict wins.
package aegis.authz

action(call, documents) := combined({verdict.effect | some verdict in verdicts}, verdicts, documents) if {
	parameters := call.action.properties
	verdicts := [verdict(document, rule, parameters) |
		some document in documents
		some name in {call.action.name, "*"}
		some rule in document.tools[call.resource.id][name]
	]
}

# A rule that cannot be read denies.
default verdict(_, _, _) := {
	"policy": "",
	"effect": "deny",
	"findings": [],
	"redact": [],
	"approval": null,
}

verdict(document, rule, parameters) := {
	"policy": document.name,
	"effect": effect_of(rule, failed, held_by),
	"findings": array.concat(failed, held_by),
	"redact": rule.redact,
	"approval": rule.approval,
} if {
	is_array(rule.parameters)
	failed := [finding |
		some spec in rule.parameters
		some finding in failures(spec, parameters, document.disclose)
	]
	held_by := [finding |
		some spec in rule.parameters
		some finding in exceeded(spec, parameters, document.disclose)
	]
}

effect_of(rule, failed, held_by) := "deny" if {
	count(failed) > 0
} else := "approval_needed" if {
	count(failed) == 0
	count(held_by) > 0
} else := "approval_needed" if {
	count(failed) == 0
	rule.approval.always
} else := "sanitize" if {
	count(failed) == 0
	count(held_by) == 0
	rule.approval.always == false
	count(rule.redact) > 0
} else := "allow" if {
	count(failed) == 0
	count(held_by) == 0
	rule.approval.always == false
	count(rule.redact) == 0
}

combined(effects, verdicts, documents) := denial("POLICY_DENIED", "no rule lists this action of this tool", names(documents)) if {
	count(verdicts) == 0
} else := denied_by([verdict | some verdict in verdicts; verdict.effect == "deny"]) if {
	"deny" in effects
} else := held_by_rules(verdicts, [verdict | some verdict in verdicts; verdict.effect == "approval_needed"]) if {
	not "deny" in effects
	"approval_needed" in effects
} else := sanitized(deciders(verdicts), redactions(verdicts)) if {
	effects in {{"sanitize"}, {"sanitize", "allow"}}
} else := passed("ALLOWED", "", deciders(verdicts), []) if {
	effects == {"allow"}
}

deciders(verdicts) := sort({verdict.policy | some verdict in verdicts})

denied_by(verdicts) := refused(reason_of(findings), detail_of(verdicts), deciders(verdicts), findings) if {
	findings := findings_of(verdicts)
}

reason_of(findings) := "PARAMETER_MISSING" if {
	some finding in findings
	finding.condition == "missing"
} else := "PARAMETER_TYPE" if {
	some finding in findings
	finding.condition == "type"
} else := "POLICY_DENIED"

held_by_rules(verdicts, holding) := held(
	detail_of(holding),
	deciders(holding),
	redactions(verdicts),
	findings_of(holding),
	{"groups": sort(groups), "expires_in": min({verdict.approval.expires_in | some verdict in holding})},
) if {
	demanded := group_sets(holding)
	groups := intersection(demanded)
	approvable(demanded, groups)
} else := denial("POLICY_DENIED", "no group of approvers satisfies every rule that asks for an approval", deciders(holding))

# Rules that name no group accept any approver; the others must have a group in common.
group_sets(holding) := {{group | some group in verdict.approval.groups} |
	some verdict in holding
	count(verdict.approval.groups) > 0
}

approvable(demanded, _) if count(demanded) == 0

approvable(_, groups) if count(groups) > 0

findings_of(verdicts) := [finding |
	some verdict in verdicts
	some finding in verdict.findings
]

detail_of(verdicts) := concat("; ", [sprintf("%s: %s %s", [verdict.policy, finding.parameter, finding.condition]) |
	some verdict in verdicts
	some finding in verdict.findings
])

# What all the rules want redacted, merged for each direction.
redactions(rules) := [{"kind": "redact", "target": target, "detectors": detectors, "fields": fields} |
	some target in ["request", "response"]
	wanted := [redact | some rule in rules; some redact in rule.redact; redact.target == target]
	count(wanted) > 0
	detectors := sort({detector | some redact in wanted; some detector in redact.detectors})
	fields := sort({field | some redact in wanted; some field in redact.fields})
]

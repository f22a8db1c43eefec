# Calls of one action: every rule that lists it gives a verdict, and the strictest verdict wins.
package aegis.authz

action(call, documents) := combined(effects, verdicts, documents) if {
	verdicts := [verdict(document, rule, call.action.properties) |
		some document in documents
		actions := document.tools[call.resource.id]
		some name in [call.action.name, "*"]
		some rule in actions[name]
	]
	effects := {given.effect | some given in verdicts}
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
	"effect": effect_of(rule, failed, exceeded),
	"findings": told(failed, exceeded),
	"redact": rule.redact,
	"approval": rule.approval,
} if {
	is_array(rule.parameters)
	is_array(rule.thresholds)
	failed := [finding |
		some spec in rule.parameters
		some finding in failures(spec, parameters, document.disclose)
	]
	exceeded := [finding(threshold.parameter, condition, threshold.limit, value, document.disclose) |
		some threshold in rule.thresholds
		value := value_of(parameters, threshold.parameter)
		value != absent
		condition := threshold.condition
		not holds(condition, threshold, value)
	]
}

# `rule.effect` is what the rule gives when no condition stands in the way.
effect_of(rule, failed, exceeded) := rule.effect if {
	failed == []
	exceeded == []
} else := "deny" if {
	failed != []
} else := "approval_needed" if {
	failed == []
	exceeded != []
}

# A threshold is worth telling only when an approval would help.
told(failed, exceeded) := exceeded if {
	failed == []
} else := failed

combined(effects, verdicts, documents) := passed("ALLOWED", deciders(verdicts)) if {
	effects == {"allow"}
} else := sanitized(deciders(verdicts), redactions(verdicts)) if {
	effects in {{"sanitize"}, {"sanitize", "allow"}}
} else := refused(reason_of(findings), detail_of(denying), deciders(denying), findings) if {
	"deny" in effects
	denying := [given | some given in verdicts; given.effect == "deny"]
	findings := findings_of(denying)
} else := needing(verdicts, [given | some given in verdicts; given.effect == "approval_needed"]) if {
	"approval_needed" in effects
	not "deny" in effects
} else := denial("POLICY_DENIED", "no rule lists this action of this tool", names(documents)) if {
	verdicts == []
}

deciders(verdicts) := sort({given.policy | some given in verdicts})

reason_of(findings) := "PARAMETER_MISSING" if {
	some finding in findings
	finding.condition == "missing"
} else := "PARAMETER_TYPE" if {
	some finding in findings
	finding.condition == "type"
} else := "POLICY_DENIED"

needing(verdicts, holding) := held(
	detail_of(holding),
	deciders(holding),
	redactions(verdicts),
	findings_of(holding),
	{"groups": sort(groups), "expires_in": min({given.approval.expires_in | some given in holding})},
) if {
	demanded := group_sets(holding)
	groups := intersection(demanded)
	approvable(demanded, groups)
} else := denial("POLICY_DENIED", "no group of approvers satisfies every rule that asks for an approval", deciders(holding))

# Rules that name no group accept any approver; the others must have a group in common.
group_sets(holding) := {{group | some group in given.approval.groups} |
	some given in holding
	given.approval.groups != []
}

approvable(demanded, _) if demanded == set()

approvable(_, groups) if groups != set()

findings_of(verdicts) := [finding |
	some given in verdicts
	some finding in given.findings
]

detail_of(verdicts) := concat("; ", [sprintf("%s: %s %s", [given.policy, finding.parameter, finding.condition]) |
	some given in verdicts
	some finding in given.findings
])

# What all the rules want redacted, merged for each direction.
redactions(rules) := [{"kind": "redact", "target": target, "detectors": detectors, "fields": fields} |
	some target in ["request", "response"]
	wanted := [redact | some rule in rules; some redact in rule.redact; redact.target == target]
	wanted != []
	detectors := sort({detector | some redact in wanted; some detector in redact.detectors})
	fields := sort({field | some redact in wanted; some field in redact.fields})
]

# Calls of one action: every rule that lists it gives a verdict, and the strictest verdict wins.
package aegis.authz

action(call, documents) := eased(combined(effects, verdicts, documents), verdicts, documents, call, seen) if {
	seen := world(call)
	judging := [verdict(document, rule, seen) |
		some document in documents
		some rule in rules_of(document, call)
	]
	forbidding := [denied(document, rule, seen) |
		some document in documents
		some rule in denials_of(document, call)
		not excused(rule, seen)
	]
	abroad := [refused_region(document, seen) |
		some document in documents
		outside(document, call.resource.id)
	]
	disguised := [denying(document, [finding("action", "denied", null, null, false)]) |
		some document in documents
		is_disguised(document, call)
	]
	verdicts := array.concat(array.concat(judging, disguised), array.concat(forbidding, abroad))
	effects := {given.effect | some given in verdicts}
}

rules_of(document, call) := [rule |
	some name in [call.action.name, "*"]
	some rule in data.aegis.policies.forms[document.own[0]][document.mode][document.place].tools[call.resource.id][name]
]

# Servers that fold case take Delete for delete: a denial is about every spelling of a tool's name.
denials_of(document, call) := [rule |
	some name, rules in data.aegis.policies.forms[document.own[0]][document.mode][document.place].denied[call.resource.id]
	is_meant(name, call)
	some rule in rules
]

is_meant(name, call) if name in {"*", call.action.name}

is_meant(name, call) if {
	call.resource.type != "http"
	spelling(name) == spelling(call.action.name)
}

# Beside "*" a rule for one tool would be typed away by another spelling of its name.
is_disguised(document, call) if {
	call.resource.type != "http"
	actions := data.aegis.policies.forms[document.own[0]][document.mode][document.place].tools[call.resource.id]
	not actions[call.action.name]
	some name, _ in actions
	name != "*"
	spelling(name) == spelling(call.action.name)
}

spelling(name) := lower(upper(trim_space(regex.replace(name, `\pC`, ""))))

# A rule that cannot be read denies.
default verdict(_, _, _) := {
	"policy": "",
	"effect": "deny",
	"findings": [],
	"redact": [],
	"headers": [],
	"approval": null,
}

verdict(document, rule, seen) := {
	"policy": document.name,
	"effect": effect_of(rule, failed, exceeded),
	"findings": told(failed, exceeded),
	"redact": rule.redact,
	"headers": rule.headers,
	"approval": rule.approval,
} if {
	is_array(rule.values)
	failed := [finding | some spec in rule.values; some finding in failures(spec, seen, document.disclose)]
	exceeded := [finding |
		some spec in rule.values
		not spec.asks == [] # as most
		some finding in excesses(spec, seen, document.disclose)
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

# A rule that denies is excused by one condition that is known not to hold, and by nothing else.
excused(rule, seen) if {
	some spec in rule.values
	refuted(spec, seen)
}

denied(document, rule, seen) := denying(document, array.concat(stated, missed)) if {
	stated := [finding(rule.label, "denied", null, null, false)]
	missed := [one |
		some spec in rule.values
		some one in failures(spec, seen, document.disclose)
		one.condition in {"missing", "type"}
	]
}

# A tool whose region is not said is in none that a document names.
outside(document, tool) if {
	document.regions != null
	not inside(document, tool)
}

inside(document, tool) if data.aegis.policies.regions[tool] in document.regions

refused_region(document, seen) := denying(document, [finding(
	"context.region",
	"regions",
	document.regions,
	object.get(seen.context, "region", ""),
	document.disclose,
)])

denying(document, findings) := {
	"policy": document.name,
	"effect": "deny",
	"findings": findings,
	"redact": [],
	"headers": [],
	"approval": null,
}

combined(effects, verdicts, documents) := passed("ALLOWED", deciders(verdicts), headers(verdicts)) if {
	effects == {"allow"}
	not contradictory(verdicts)
} else := sanitized(deciders(verdicts), obligations(verdicts)) if {
	effects in {{"sanitize"}, {"sanitize", "allow"}}
	not contradictory(verdicts)
} else := refused(reason_of(findings), detail_of(denials), deciders(denials), findings) if {
	"deny" in effects
	denials := [given | some given in verdicts; given.effect == "deny"]
	findings := findings_of(denials)
} else := needing(verdicts, [given | some given in verdicts; given.effect == "approval_needed"]) if {
	"approval_needed" in effects
	not "deny" in effects
	not contradictory(verdicts)
} else := denial("POLICY_DENIED", "no rule lists this action of this tool", names(documents)) if {
	verdicts == []
} else := denial("POLICY_DENIED", "two rules set one header to different values", deciders(verdicts)) if {
	verdicts != []
	not "deny" in effects
	contradictory(verdicts)
}

deciders(verdicts) := sort({given.policy | some given in verdicts} | waivers_among(verdicts))

waivers_among(verdicts) := {name | some given in verdicts; some name in given.waived_by}

reason_of(findings) := "PARAMETER_MISSING" if {
	some finding in findings
	finding.condition == "missing"
	not startswith(finding.parameter, "context.")
} else := "PARAMETER_TYPE" if {
	some finding in findings
	finding.condition == "type"
	not startswith(finding.parameter, "context.")
} else := "POLICY_DENIED"

needing(verdicts, holding) := held(
	detail_of(holding),
	deciders(holding),
	obligations(verdicts),
	findings_of(holding),
	object.union(terms(groups, holding), more_terms(holding)),
) if {
	demanded := group_sets(holding)
	groups := intersection(demanded)
	approvable(demanded, groups)
} else := denial("POLICY_DENIED", "no group of approvers satisfies every rule that asks for an approval", deciders(holding))

terms(groups, holding) := {
	"groups": sort(groups),
	"expires_in": min({given.approval.expires_in | some given in holding}),
}

# What few rules ask for is told only where it is asked for: the strictest that any of them asks.
more_terms(holding) := {word: value |
	some word in ["approvals", "confirm", "notify", "proof", "unattended", "hold"]
	value := strictest(word, holding)
}

strictest(word, holding) := max({given.approval[word] | some given in holding}) if word in {"approvals", "proof"}

strictest(word, holding) := min({given.approval[word] | some given in holding}) if word == "unattended"

strictest(word, holding) := sort(entries) if {
	word in {"confirm", "notify"}
	entries := {entry | some given in holding; some entry in given.approval[word]}
	entries != set()
}

# A request is kept open no longer than each of them wants, so not at all where one does not say it.
strictest(word, holding) := min(seconds) if {
	word == "hold"
	seconds := [given.approval.hold | some given in holding]
	count(seconds) == count(holding)
}

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

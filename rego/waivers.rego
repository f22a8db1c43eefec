# Waivers: what somebody has allowed for a while stands for the approval that a rule asks for, and for nothing else.
# A verdict that denies is no business of theirs, nor is a limit.
package aegis.authz

# Only a call that would be held can be eased: what is denied, for whatever reason, is looked at no more.
eased(decision, verdicts, documents, call, seen) := decision if {
	decision.effect != "approval_needed"
} else := combined(effects, milder, documents) if {
	decision.effect == "approval_needed"
	milder := [waived(given, documents, call, seen) | some given in verdicts]
	effects := {given.effect | some given in milder}
}

# Whatever is not known to be waived stays as it was judged.
waived(given, documents, call, seen) := object.union(given, {
	"effect": unasked(given),
	"findings": [],
	"waived_by": sort(waiving),
}) if {
	given.effect == "approval_needed"
	waiving := waivers_of(given, documents, call, seen)
	waiving != set()
} else := given

# What a rule gives where nobody has to be asked.
unasked(given) := "allow" if {
	given.redact == []
} else := "sanitize"

waivers_of(given, documents, call, seen) := {document.name |
	some document in documents
	some waiver in data.aegis.policies.forms[document.own[0]][document.mode][document.place].waivers[call.resource.id][call.action.name]
	given.policy in waiver.of
	stands_for(waiver, given.approval)
	is_met(waiver, seen)
}

# Several people, values that are typed, who must be signed in, and whatever else an approval may take are more than one
# person has said. How long a request is kept open is not.
stands_for(waiver, terms) if {
	object.keys(terms) - {"groups", "expires_in", "notify", "hold", "unattended"} == set()
	is_of(waiver.groups, terms.groups)
}

is_of(_, demanded) if demanded == []

is_of(groups, demanded) if {
	demanded != []
	count(groups) > 0
	every group in groups {
		group in demanded
	}
}

is_met(waiver, seen) if {
	count(waiver.values) > 0
	every spec in waiver.values {
		spec.asks == []
		failures(spec, seen, false) == []
	}
}

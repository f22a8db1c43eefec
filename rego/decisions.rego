# The shapes of decisions. Each has every member but `would` and `limits`, which `ruled` adds; the first is whole.
package aegis.authz

# By a plain rule.
allowed(texts) := object.union(passed("ALLOWED", texts[0], []), {"would": null, "limits": texts[1]})

passed(reason, policies, obligations) := {
	"effect": "allow",
	"reason": reason,
	"detail": "",
	"policies": policies,
	"obligations": obligations,
	"findings": [],
	"approval": null,
}

sanitized(policies, obligations) := {
	"effect": "sanitize",
	"reason": "SANITIZED",
	"detail": "",
	"policies": policies,
	"obligations": obligations,
	"findings": [],
	"approval": null,
}

held(detail, policies, obligations, findings, terms) := {
	"effect": "approval_needed",
	"reason": "APPROVAL_NEEDED",
	"detail": detail,
	"policies": policies,
	"obligations": obligations,
	"findings": findings,
	"approval": terms,
}

refused(reason, detail, policies, findings) := {
	"effect": "deny",
	"reason": reason,
	"detail": detail,
	"policies": policies,
	"obligations": [],
	"findings": findings,
	"approval": null,
}

denial(reason, detail, policies) := refused(reason, detail, policies, [])

names(documents) := sort({document.name | some document in documents})

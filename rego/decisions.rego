# The shapes of decisions. Each has every member but `would` and `limits`, which `decide` adds; the first is whole.
package aegis.authz

# By a plain rule. Most are of one document, and meet no limit.
allowed(plain, own) := {
	"effect": "allow",
	"reason": "ALLOWED",
	"detail": "",
	"policies": [own[1]],
	"obligations": [],
	"findings": [],
	"approval": null,
	"would": null,
	"limits": [],
} if {
	plain.policies == [1]
	plain.limits == []
} else := {
	"effect": "allow",
	"reason": "ALLOWED",
	"detail": "",
	"policies": texts_of(plain.policies, own),
	"obligations": [],
	"findings": [],
	"approval": null,
	"would": null,
	"limits": texts_of(plain.limits, own),
}

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

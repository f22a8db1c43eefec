# What there is for an agent: of each scope that covers it the form, which many scopes share, and the scope's own texts,
# which the form has numbers for (policy/compile/forms.py).
package aegis.authz

# One look-up for each shape of scope in use (a handful), however many policies there are. A shape says how org, tenant
# and agent are written in the scopes that have it.
nodes_of(who) := nodes if {
	scopes := [own |
		some shape in data.aegis.policies.shapes
		own := data.aegis.policies.scopes[concat("/", [part(who.org, shape[0]), part(who.tenant, shape[1]), part(who.agent, shape[2])])]
	]
	nodes := [node_of(own) | some own in scopes]

	# without its form a scope would be one that asks for nothing
	count(nodes) == count(scopes)
}

# How documents of a shape would name this one: "" in full, "*" not at all, a number by that many first letters.
part(name, "") := name

part(_, "*") := "*"

part(name, length) := concat("", [substring(name, 0, length), "*"]) if {
	is_number(length)
	count(name) >= length
}

node_of(own) := {
	"enforce": documents_of(own, "enforce"),
	"shadow": documents_of(own, "shadow"),
}

# Where a document stands and what is told of it. Its rules are looked up where they are: OPA takes in all of a document
# that is handed on, whatever is read of it.
documents_of(own, mode) := documents if {
	titles := data.aegis.policies.forms[own[0]].titles[mode]
	documents := [{
		"own": own,
		"mode": mode,
		"place": place,
		"name": text_of(title, own),
		"disclose": data.aegis.policies.forms[own[0]][mode][place].disclose,
		"regions": data.aegis.policies.forms[own[0]][mode][place].regions,
	} |
		some place, title in titles
	]
	count(documents) == count(titles)
}

# A number that has no text gives none: no limit has such an id, so that whoever meets it is refused.
text_of(text, own) := own[text] if {
	is_number(text)
} else := text if {
	is_string(text)
} else := ""

# Addresses that no tool of the catalogue claims. All are refused; the reason tells a host the agent's
# owner knows, whose tool is missing from the catalogue, from a foreign one.
package aegis.authz

foreign(call, documents) := denial("TOOL_UNKNOWN", "the host is known, but no tool claims it", names(documents)) if {
	is_known_place(call.resource.properties, documents)
} else := denial("EGRESS_DENIED", "the host is in no egress list of the agent", names(documents))

is_known_place(place, documents) if {
	some document in documents
	some entry in data.aegis.policies.forms[document.own[0]][document.mode][document.place].egress.hosts[place.host]
	has_all(entry, place)
}

# A suffix starts with its dot, so it ends on the boundary of a label.
is_known_place(place, documents) if {
	some document in documents
	some entry in data.aegis.policies.forms[document.own[0]][document.mode][document.place].egress.suffixes
	endswith(place.host, entry.suffix)
	count(place.host) > count(entry.suffix)
	has_all(entry, place)
}

has_all(entry, place) if {
	in_list(entry.ports, object.get(place, "port", absent))
	in_list(entry.schemes, object.get(place, "scheme", absent))
	in_list(entry.methods, object.get(place, "method", absent))
}

in_list(null, _)

in_list(list, value) if value in list

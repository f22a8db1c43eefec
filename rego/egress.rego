# Addresses that no tool of the catalogue claims. All are refused; the reason tells a host the agent's
# owner knows, whose tool is missing from the catalogue, from a foreign one.
package aegis.authz

foreign(call, documents) := denial("TOOL_UNKNOWN", "the host is known, but no tool claims it", names(documents)) if {
	is_known_host(call.resource.properties.host, documents)
} else := denial("EGRESS_DENIED", "the host is in no egress list of the agent", names(documents))

is_known_host(host, documents) if {
	some document in documents
	document.egress.hosts[host]
}

# A suffix starts with its dot, so it ends on the boundary of a label.
is_known_host(host, documents) if {
	some document in documents
	some suffix in document.egress.suffixes
	endswith(host, suffix)
	count(host) > count(suffix)
}

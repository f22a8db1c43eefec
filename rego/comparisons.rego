# The comparisons. Each is true only when it provably holds; nothing else about it is known, so whoever needs to
# know that one does *not* hold asks `readable` too.
package aegis.authz

# Of a check against a value, in the light of the other parameters.
holds(check, value, _) if {
	not check.than
	not check.condition in {"every", "any"}
	meets(check.condition, check, value)
}

holds(check, value, seen) if {
	limit := object.get(seen.parameters, check.than, absent)
	comparable(check.condition, value, limit)
	meets(check.condition, {"limit": limit}, value)
}

holds(check, value, _) if {
	check.condition == "every"
	is_array(value)
	every element in value {
		passes(check, element)
	}
}

holds(check, value, _) if {
	check.condition == "any"
	is_array(value)
	some element in value
	passes(check, element)
}

passes(check, element) if {
	inner := element_of(check, element)
	every one in check.checks {
		meets(one.condition, one, inner)
	}
}

# What is judged of an element, where it is of the type that is judged.
element_of(check, element) := element if {
	check.path == []
	typed(check.type, element)
} else := inner if {
	check.path != []
	is_object(element)
	inner := object.get(element, check.path, absent)
	inner != absent
	typed(check.type, inner)
}

# Rego orders values of different types, too.
comparable(condition, value, limit) if {
	condition in {"equals", "not"}
	type_name(value) == type_name(limit)
}

comparable(condition, value, limit) if {
	condition in {"min", "max", "over", "under", "approval_needed_over"}
	is_number(value)
	is_number(limit)
}

meets("max", check, value) if value <= check.limit

meets("min", check, value) if value >= check.limit

meets("over", check, value) if value > check.limit

meets("under", check, value) if value < check.limit

meets("approval_needed_over", check, value) if value <= check.limit

meets("equals", check, value) if value == check.limit

meets("not", check, value) if value != check.limit

meets("in", check, value) if value in check.limit

meets("not_in", check, value) if {
	limit := check.limit
	is_array(limit)
	not value in limit
}

meets("approval_needed_in", check, value) if {
	limit := check.limit
	is_array(limit)
	not value in limit
}

meets("type", check, value) if typed(check.limit, value)

meets("matches", check, value) if regex.match(check.pattern, value)

meets("starts_with", check, value) if startswith(value, check.limit)

meets("ends_with", check, value) if endswith(value, check.limit)

meets("length", check, value) if {
	is_string(value)
	sized(check.limit, count(value))
}

meets("count", check, value) if {
	is_array(value)
	sized(check.limit, count(value))
}

# OPA reads a text as JSON where a document is wanted, so the value is judged as a member.
meets("schema", check, value) if json.match_schema({"value": value}, check.whole)[0] == true

meets("host_in", check, value) if known_host(check, host_named(value))

meets("url_host_in", check, value) if known_host(check, host_of_url(value))

meets("email_domain_in", check, value) if known_host(check, domain_of_email(value))

meets("in_ranges", check, value) if {
	is_address(value)
	net.cidr_contains_matches(check.limit, value) != set()
}

meets("not_in_ranges", check, value) if {
	is_address(value)
	net.cidr_contains_matches(check.limit, value) == set()
}

meets("within", check, value) if {
	some window in check.windows
	falls_in(window, value)
}

meets("not_within", check, value) if {
	every window in check.windows {
		dated(window, value)
		not falls_in(window, value)
	}
}

sized(limit, size) if {
	size >= object.get(limit, "min", 0)
	size <= object.get(limit, "max", size)
	size == object.get(limit, "equals", size)
}

# A suffix starts with its dot, so it ends on the boundary of a label.
known_host(check, host) if check.hosts[host]

known_host(check, host) if strings.any_suffix_match(host, check.suffixes)

host_named(value) := lower(value) if {
	regex.match(`^(?i:[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)(\.(?i:[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?))*$`, value)
	count(value) <= 253
}

# Only what every reader of URLs splits alike: no user, nor what some take for one (evil.example#@bank.com), no backslash,
# nothing but printable ASCII.
host_of_url(value) := host_named(found) if {
	regex.match(`^(?i:https?|wss?)://[A-Za-z0-9._-]+(:[0-9]{1,5})?(/[!-\[\]-~]*|[?#][!-?A-\[\]-~]*)?$`, value)
	found := regex.replace(value, `^[A-Za-z]+://([A-Za-z0-9._-]+).*$`, "$1")
}

domain_of_email(value) := host_named(found) if {
	regex.match(`^[A-Za-z0-9!#$%&'*+/=?^_{|}~.-]+@[A-Za-z0-9._-]+$`, value)
	found := split(value, "@")[1]
}

# One address in the one form that all readers take alike: no network, zone, leading zero, octal, hex or short form.
is_address(value) if {
	regex.match(`^(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}$`, value)
}

is_address(value) if {
	regex.match(`^[0-9A-Fa-f]*:[0-9A-Fa-f:]*$`, value)
	net.cidr_contains("::/0", value)
	not holds_ipv4(value)
}

is_address(value) if {
	regex.match(`^[0:]+1$`, value)
	net.cidr_contains("::1/128", value)
}

# IPv6 addresses that lead to an IPv4 one: mapped, compatible (RFC 4291), translated (RFC 2765, 6052, 8215), 6to4
# (RFC 3056), Teredo (RFC 4380) and ISATAP (RFC 5214). No list of ranges means both addresses.
holds_ipv4(value) if net.cidr_contains_matches(ipv4_within, value) != set()

ipv4_within := [
	"::ffff:0:0/96", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32",
]

holds_ipv4(value) if regex.match(`(?i):5efe:(:[0-9a-f]*|[0-9a-f]{1,4}:[0-9a-f]{1,4})$`, value)

falls_in(window, now) if {
	[hour, minute, _] := time.clock([now, window.zone])
	clock := (hour * 60) + minute
	clock >= window.from
	clock < window.to
	time.weekday([now, window.zone]) in window.weekdays
	day := day_of(window, now)
	day >= window.first
	day <= window.last
	holidays := window.holidays
	is_array(holidays)
	not day in holidays
}

day_of(window, now) := sprintf("%04d-%02d-%02d", time.date([now, window.zone]))

dated(window, now) if is_string(day_of(window, now))

# Whether a check that does not hold is thereby known not to: what could not be read proves nothing.
readable(check, value, seen) if {
	limit := object.get(seen.parameters, check.than, absent)
	comparable(check.condition, value, limit)
}

readable(check, value, _) if {
	not check.than
	sound(check.condition, check, value)
}

readable(check, value, _) if {
	check.condition in {"every", "any"}
	is_array(value)
	every element in value {
		inner := element_of(check, element)
		every one in check.checks {
			sound(one.condition, one, inner)
		}
	}
}

sound(condition, _, _) if {
	condition in {
		"max", "min", "over", "under", "equals", "not", "in", "not_in", "matches", "starts_with", "ends_with",
		"length", "count", "exists",
	}
}

# The words of JSON Schema ignore values of other types: one of a type the schema is not about proves nothing.
sound("schema", check, value) if {
	is_boolean(json.match_schema({"value": value}, check.whole)[0])
	json.match_schema({"value": value}, check.types)[0] == true
}

sound("host_in", _, value) if is_string(host_named(value))

sound("url_host_in", _, value) if is_string(host_of_url(value))

sound("email_domain_in", _, value) if is_string(domain_of_email(value))

sound(condition, check, value) if {
	condition in {"in_ranges", "not_in_ranges"}
	is_address(value)
	is_set(net.cidr_contains_matches(check.limit, value))
}

sound(condition, check, value) if {
	condition in {"within", "not_within"}
	every window in check.windows {
		dated(window, value)
	}
}

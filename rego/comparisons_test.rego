package aegis.authz_test

import data.aegis.authz

# condition, what it is compared with, what holds, what is known not to, what cannot be known.
table := [
	["max", {"limit": 5}, [5, 4.9, -1], [5.0000001, 1e300], []],
	["min", {"limit": 0}, [0, 3], [-0.1], []],
	["over", {"limit": 5}, [5.1, 6], [5, -9], []],
	["under", {"limit": 5}, [4.9, -6], [5, 9], []],
	["approval_needed_over", {"limit": 5}, [5, 0], [5.01], []],
	["equals", {"limit": "a"}, ["a"], ["A", "a ", ""], []],
	["equals", {"limit": 5}, [5, 5.0], [6], []],
	["equals", {"limit": false}, [false], [true], []],
	["not", {"limit": "a"}, ["b", ""], ["a"], []],
	["in", {"limit": ["a", "b"]}, ["a", "b"], ["c", "A"], []],
	["in", {"limit": [1, 2]}, [1, 2.0], [3], []],
	["not_in", {"limit": ["a"]}, ["b"], ["a"], []],
	["approval_needed_in", {"limit": ["a"]}, ["b"], ["a"], []],
	["type", {"limit": "string"}, ["x"], [1, null, ["x"]], []],
	["matches", {"limit": "[a-z]+", "pattern": `\A(?:[a-z]+)\z`}, ["abc"], ["abc1", "", "abc\n"], []],
	["starts_with", {"limit": "eu-"}, ["eu-1"], ["us-1", "xeu-"], []],
	["ends_with", {"limit": ".pdf"}, ["a.pdf"], ["a.pdf.exe", "pdf"], []],
	["length", {"limit": {"min": 2, "max": 3}}, ["ab", "äöü"], ["a", "abcd"], []],
	["length", {"limit": {"equals": 2}}, ["ab"], ["a", "abc"], []],
	["count", {"limit": {"min": 1, "max": 2}}, [[1], [1, 2]], [[], [1, 2, 3]], []],
	[
		"schema", {"whole": schema_of({"type": "object", "required": ["a"]}), "types": schema_of({"type": "object"})},
		[{"a": 1}], [{}], [1, "{\"a\": 1}"],
	],
	[
		"schema", {"whole": schema_of({"type": "string", "maxLength": 2}), "types": schema_of({"type": "string"})},
		["ab", "1"], ["abc"], [1, null],
	],
	["schema", {"whole": schema_of({"type": "string"})}, ["ab"], [], [1]],
	[
		"host_in", {"hosts": {"bank.com": true}, "suffixes": [".acme.com"]},
		["bank.com", "BANK.com", "a.acme.com", "a.b.acme.com"],
		["acme.com", "true-bank.com", "bank.com.evil.example", "trueacme.com"],
		["bank.com.", "bank.com:443", "bank..com", "", "bänk.com", "a b", "-bank.com", "http://bank.com"],
	],
	[
		"url_host_in", {"hosts": {"bank.com": true}, "suffixes": [".acme.com"]},
		["https://bank.com", "HTTPS://bank.com/x?y#z", "http://a.acme.com:8443/p", "wss://bank.com/"],
		["https://true-bank.com", "https://bank.com.evil.example/", "https://evil.example/?x=https://bank.com"],
		[
			"https://bank.com@evil.example/", "https://evil.example\\@bank.com/", "ftp://bank.com", "bank.com",
			"https:bank.com", "https://bank.com evil", "https://bank.com.", "javascript://bank.com/", "https://[::1]/",
			"https://bank%2ecom/", "https:///bank.com",
		],
	],
	[
		"email_domain_in", {"hosts": {"acme.com": true}, "suffixes": []},
		["ann@acme.com", "a.n+n@ACME.com"], ["ann@true-acme.com", "ann@a.acme.com"],
		["ann", "ann@acme.com@evil.example", "Ann <ann@acme.com>", "ann@acme.com, x@evil.example", "@acme.com", "ann@"],
	],
	[
		"in_ranges", {"limit": ["10.0.0.0/8", "2001:db8::/32"]},
		["10.1.2.3", "2001:db8::1"], ["11.1.2.3", "2001:db9::1", "::1"], no_addresses,
	],
	["not_in_ranges", {"limit": ["10.0.0.0/8"]}, ["11.0.0.1", "2001:DB8::5efe", "0:0:0:0:0:0:0:1"], ["10.0.0.1"], no_addresses],
	["every", {"type": "string", "path": [], "checks": [{"condition": "in", "limit": ["a"]}]}, [["a", "a"], []], [["b"]], [[1], "a"]],
	[
		"every", {"type": "number", "path": ["n"], "checks": [{"condition": "max", "limit": 1}]},
		[[{"n": 1}]], [[{"n": 2}]], [[{}], [1], [{"n": "1"}]],
	],
	["any", {"type": "string", "path": [], "checks": [{"condition": "in", "limit": ["a"]}]}, [["a", "b"]], [["b"], []], []],
]

no_addresses := [
	"", "elsewhere", "10.1.2", "10.1", "10", "0.0.0.0/0", "11.1.2.3/32", "::/0", "2001:db8::/32", "10.1.2.3:80",
	"010.1.2.3", "10.01.2.3", "0x0a.1.2.3", "0x0a010203", "167838211", "012.1.2.3", "10.1.2.3.", " 10.1.2.3",
	"10.1.2.3\n", "10.1.2.256", "10.1.2.3%eth0", "fe80::1%eth0", "fe80::1%25eth0", "[2001:db8::1]", "2001:db8:::1",
	"::ffff:10.1.2.3", "::ffff:a01:203", "0:0:0:0:0:ffff:a01:203", "::10.1.2.3", "::a01:203", "::", "::2",
	"64:ff9b::10.1.2.3", "64:ff9b::a01:203", "64:ff9b:1::a01:203", "2002:a01:203::1", "2001:0:1::1",
	"::ffff:0:a01:203", "fe80::5efe:a01:203", "2001:db8::200:5EFE:a01:203", "2001:db8:0:0:0:5efe::", "１０.1.2.3",
]

schema_of(schema) := {"type": "object", "properties": {"value": schema}, "required": ["value"]}

nothing := {"parameters": {}, "context": {}}

test_every_comparison_holds_fails_and_is_unsure_where_it_should if {
	every row in table {
		check := object.union({"condition": row[0]}, row[1])
		every good in row[2] {
			authz.holds(check, good, nothing)
		}
		every bad in row[3] {
			not authz.holds(check, bad, nothing)
		}
		every unsure in row[4] {
			not authz.holds(check, unsure, nothing)
			not authz.readable(check, unsure, nothing)
		}
	}
}

# Thresholds, and types, are no conditions of rules that deny.
only_allowing := {"approval_needed_over", "approval_needed_in", "type"}

test_what_is_known_not_to_hold_is_readable if {
	every row in table {
		check := object.union({"condition": row[0]}, row[1])
		every bad in [one | not row[0] in only_allowing; some one in row[3]] {
			authz.readable(check, bad, nothing)
		}
	}
}

berlin := {
	"zone": "Europe/Berlin", "weekdays": ["Monday", "Tuesday"], "from": 540, "to": 1020,
	"first": "2026-01-01", "last": "2026-12-31", "holidays": ["2026-01-06"],
}

at(text) := time.parse_rfc3339_ns(text)

test_a_time_falls_in_a_window_of_its_zone_or_not if {
	within := {"condition": "within", "limit": ["w"], "windows": [berlin]}
	outside := {"condition": "not_within", "limit": ["w"], "windows": [berlin]}
	every good in ["2026-01-05T09:00:00+01:00", "2026-07-06T14:59:59Z", "2026-01-05T16:59:59+01:00"] {
		authz.holds(within, at(good), nothing)
		not authz.holds(outside, at(good), nothing)
	}
	every bad in [
		"2026-01-05T08:59:59+01:00", "2026-01-05T17:00:00+01:00", "2026-01-07T10:00:00+01:00",
		"2026-01-06T10:00:00+01:00", "2025-12-29T10:00:00+01:00", "2027-01-04T10:00:00+01:00", "2026-07-06T15:00:00Z",
	] {
		not authz.holds(within, at(bad), nothing)
		authz.holds(outside, at(bad), nothing)
		authz.readable(within, at(bad), nothing)
	}
}

test_a_window_in_no_zone_and_a_time_that_is_none_are_unsure if {
	nowhere := object.union(berlin, {"zone": "Atlantis/Main"})
	every word in ["within", "not_within"] {
		check := {"condition": word, "limit": ["w"], "windows": [nowhere]}
		not authz.holds(check, at("2026-01-05T09:00:00+01:00"), nothing)
		not authz.readable(check, at("2026-01-05T09:00:00+01:00"), nothing)
		here := {"condition": word, "limit": ["w"], "windows": [berlin]}
		not authz.holds(here, "noon", nothing)
		not authz.readable(here, "noon", nothing)
	}
}

against(condition, path) := {"condition": condition, "limit": {"parameter": "p"}, "than": path}

test_a_parameter_is_compared_with_another_of_its_type if {
	seen := {"parameters": {"limit": 5, "name": "a", "deep": {"limit": 7}}, "context": {}}
	every row in [
		["max", ["limit"], 5, 6], ["min", ["limit"], 5, 4], ["over", ["limit"], 6, 5], ["under", ["limit"], 4, 5],
		["equals", ["name"], "a", "b"], ["not", ["name"], "b", "a"], ["max", ["deep", "limit"], 7, 8],
		["approval_needed_over", ["limit"], 5, 6],
	] {
		authz.holds(against(row[0], row[1]), row[2], seen)
		not authz.holds(against(row[0], row[1]), row[3], seen)
		authz.readable(against(row[0], row[1]), row[3], seen)
	}
	every row in [["max", ["none"], 1], ["max", ["name"], 1], ["equals", ["limit"], "a"], ["in", ["limit"], 5]] {
		not authz.holds(against(row[0], row[1]), row[2], seen)
		not authz.readable(against(row[0], row[1]), row[2], seen)
	}
}

test_a_condition_nobody_knows_neither_holds_nor_is_known_not_to if {
	not authz.holds({"condition": "vibes", "limit": 1}, 1, nothing)
	not authz.readable({"condition": "vibes", "limit": 1}, 1, nothing)
}

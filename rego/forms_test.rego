package aegis.authz_test

import data.aegis.authz

# Two agents with rules of one form and a budget each, under a document of the whole organization.
shared := {
	"shapes": [["", "", ""], ["", "*", "*"]],
	"regions": {},
	"forms": [
		plainly_paying(
			form([with_limits(document(1, {"bank": {"pay": [limited([2])]}}), {"bank": {"*": [3]}})], []),
			{"policies": 4, "between": {"amount": [0, 5]}, "limits": 5},
		),
		form([with_limits(document(1, {"bank": {"*": [rule]}}), {"*": {"*": [2]}})], []),
	],
	"scopes": {
		"acme/emea/payer": [0, "payers", "z", "b", ["house", "payers"], ["all", "b", "z"]],
		"acme/emea/buyer": [0, "buyers", "y", "c", ["buyers", "house"], ["all", "c", "y"]],
		"acme/*/*": [1, "house", "all"],
	},
}

by(agent, parameters) := decision if {
	decision := authz.decide(call(agent, "http", "bank", "pay", parameters)) with data.aegis.policies as shared
}

test_agents_of_one_form_are_judged_by_the_names_and_limits_of_their_own if {
	every amount in [5, 6] {
		[by("payer", {"amount": amount}).policies, by("payer", {"amount": amount}).limits] == [["house", "payers"], ["all", "b", "z"]]
		[by("buyer", {"amount": amount}).policies, by("buyer", {"amount": amount}).limits] == [["buyers", "house"], ["all", "c", "y"]]
	}
}

test_a_scope_whose_form_is_not_there_denies_whatever_others_allow if {
	decision := authz.decide(pay({})) with data.aegis.policies as object.union(shared, {"scopes": {"acme/*/*": [2]}})
	[decision.effect, decision.policies] == ["deny", []]
	there := authz.decide(pay({})) with data.aegis.policies as shared
	there.effect == "allow"
}

test_a_scope_whose_form_lacks_a_document_or_its_titles_denies_whatever_others_allow if {
	every path in ["/forms/0/enforce/0", "/forms/0/enforce", "/forms/0/titles", "/forms/0/titles/shadow"] {
		decision := authz.decide(pay({"amount": 6})) with data.aegis.policies as json.remove(shared, [path])
		[decision.effect, decision.policies] == ["deny", []]
	}
	there := authz.decide(pay({"amount": 6})) with data.aegis.policies as shared
	there.effect == "allow"
}

test_a_limit_whose_id_is_not_there_is_one_that_nobody_knows if {
	every amount in [5, 6] {
		decision := authz.decide(pay({"amount": amount})) with data.aegis.policies as object.union(
			shared,
			{"scopes": {"acme/emea/payer": [0, "payers", "z"]}},
		)
		decision.limits == ["", "all", "z"]
	}
}

test_a_text_is_itself_a_number_one_of_the_own_ones_and_all_else_none if {
	[authz.text_of(text, [0, "a"]) | some text in ["b", 1, 2, -1, 0.5, null, true, ["a"]]] == [
		"b", "a", "", "", "", "", "", "",
	]
}

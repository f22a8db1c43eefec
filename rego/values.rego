# Where the values stand that conditions are about.
package aegis.authz

# No JSON value is a set, so a set stands for "not there".
absent := set()

# What conditions may look at: the parameters of the call, and what is known around it.
world(call) := {
	"parameters": call.action.properties,
	"spellings": object.get(call.action, "spellings", {}),
	"context": object.union(object.get(call, "context", {}), region_of(call.resource.id)),
}

region_of(tool) := {"region": region} if {
	region := data.aegis.policies.regions[tool]
} else := {}

# Where `optional` is written, null is as good as nothing there.
value_of(spec, seen) := unless_null(spec, value) if {
	value := object.get(seen[spec.of], spec.path, absent)
	value != absent
} else := unless_null(spec, value) if {
	spec.optional
	spec.of == "parameters"
	value := misspelt(seen, spec.path)
} else := {"in the way"} if {
	spec.optional
	spec.of == "parameters"
	blocked(spec, seen)
} else := absent

unless_null(spec, value) := absent if {
	value == null
	spec.nullable
} else := value

# Something on the way to a member is no mapping: a reader that unpacks texts or lists could find the member there.
# It is judged as a value of no type at all, which no JSON value is.
blocked(spec, seen) if {
	path := spec.path
	count(path) > 1
	wanted := folded(path, seen)[0]
	spellings := object.get(seen, "spellings", {})
	walk(seen.parameters, [found, value])
	count(found) > 0
	count(found) < count(path)
	lower(upper(regex.replace(trim_space(object.get(spellings, found[0], found[0])), `[. ]`, "_"))) == wanted
	folded(found, seen) == folded(array.slice(path, 0, count(found)), seen)
	not is_object(value)
	unless_null(spec, value) != absent
}

# A tool whose reader ignores case takes Amount for amount, and others take "amount[]" or full-width letters for it.
# Where the parameter may be left out, the other spelling is judged as the parameter itself; where it may not, it is
# missing. Of several spellings nobody knows which is read.
misspelt(seen, path) := value if {
	spelt := spelt_otherwise(seen, path)
	count(spelt) == 1
	some value in spelt
} else := {"in the way"} if {
	count(spelt_otherwise(seen, path)) > 1
}

spelt_otherwise(seen, path) := {value |
	some name, value in seen.parameters

	# as `folded` has it, written out: a function for each of ten thousand members takes twice as long
	lower(upper(regex.replace(trim_space(object.get(spellings, name, name)), `[. ]`, "_"))) == wanted
} if {
	count(path) == 1
	[wanted] := folded(path, seen)
	spellings := object.get(seen, "spellings", {})
} else := {value |
	walk(seen.parameters, [found, value])
	count(found) == count(path)

	# both ends first: they tell most members apart
	lower(upper(regex.replace(trim_space(object.get(spellings, found[last], found[last])), `[. ]`, "_"))) == wanted[last]
	lower(upper(regex.replace(trim_space(object.get(spellings, found[0], found[0])), `[. ]`, "_"))) == wanted[0]
	folded(found, seen) == wanted
} if {
	count(path) > 1
	wanted := folded(path, seen)
	last := count(path) - 1
	spellings := object.get(seen, "spellings", {})
}

# `spellings` says what names come to of which case, dots and spaces are not all that some reader takes for nothing.
folded(path, seen) := [lower(upper(regex.replace(trim_space(spelling_in(seen, part)), `[. ]`, "_"))) | some part in path]

spelling_in(seen, part) := object.get(object.get(seen, "spellings", {}), part, part)

typed("any", value) if not is_set(value)

typed("string", value) if is_string(value)

typed("number", value) if is_number(value)

typed("integer", value) if {
	is_number(value)
	value == floor(value)
}

typed("boolean", value) if is_boolean(value)

typed("array", value) if is_array(value)

typed("object", value) if is_object(value)

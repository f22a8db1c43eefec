# Where the values stand that conditions are about.
package aegis.authz

# No JSON value is a set, so a set stands for "not there".
absent := set()

# What conditions may look at: the parameters of the call, and what is known around it.
world(call) := {
	"parameters": call.action.properties,
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
	value := misspelt(seen.parameters, spec.path)
} else := {"in the way"} if {
	spec.optional
	spec.of == "parameters"
	blocked(spec, seen.parameters)
} else := absent

unless_null(spec, value) := absent if {
	value == null
	spec.nullable
} else := value

# Something on the way to a member is no mapping: a reader that unpacks texts or lists could find the member there.
# It is judged as a value of no type at all, which no JSON value is.
blocked(spec, parameters) if {
	path := spec.path
	count(path) > 1
	walk(parameters, [found, value])
	count(found) > 0
	count(found) < count(path)
	folded(found) == folded(array.slice(path, 0, count(found)))
	not is_object(value)
	unless_null(spec, value) != absent
}

# A tool whose reader ignores case takes Amount for amount. Where the parameter may be left out, the other
# spelling is judged as the parameter itself; where it may not, it is missing.
misspelt(parameters, path) := value if {
	count(path) == 1
	some name, value in parameters
	folded([name]) == folded(path)
} else := value if {
	count(path) > 1
	walk(parameters, [found, value])
	count(found) == count(path)
	folded(found) == folded(path)
}

folded(path) := [lower(upper(part)) | some part in path]

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

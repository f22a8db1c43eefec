"""Where in a body an action lists parameters, as a tree of names."""

from __future__ import annotations

from aegis_authz.core.catalogue import Action, ParameterSource
from aegis_authz.encoding import pointer

Places = dict[str, "Places | None"]
"""Where a body may have members: a name leads to the places below it,
or to None where all that stands there is one parameter.
"""


def places_of(action: Action) -> Places:
    """The places of the parameters that an action takes from the body."""
    root: Places = {}
    for parameter in action.parameters:
        if parameter.source is ParameterSource.BODY:
            here: Places | None = root
            *parents, last = pointer.split(parameter.at)
            for name in parents:
                here = None if here is None else here.setdefault(name, {})
            if here is not None:
                here[last] = None
    return root

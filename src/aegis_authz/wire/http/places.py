"""Where in a body an action lists parameters, as a tree of names."""

from __future__ import annotations

from aegis_authz.core.catalogue import Action, ParameterSource
from aegis_authz.encoding import pointer

Places = dict[str, "Places | None"]
"""Where a body may have members: a name leads to the places below it,
or to None where all that stands there is one parameter.
"""


_MOST = 4096
_REMEMBERED: dict[int, tuple[Action, Places]] = {}
"""By the action's identity: to hash an action costs more than its places. An action that is held is no other's."""


def places_of(action: Action) -> Places:
    """The places of the parameters that an action takes from the body: those of all its calls, for nobody to change."""
    entry = _REMEMBERED.get(id(action))
    if entry is not None and entry[0] is action:
        return entry[1]
    if len(_REMEMBERED) >= _MOST:
        _REMEMBERED.clear()
    places = _places(action)
    _REMEMBERED[id(action)] = action, places
    return places


def _places(action: Action) -> Places:
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

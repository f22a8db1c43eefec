"""Whether a call is of this region: of a tenant that is at home here, and to a tool that is here.

Of a call of another region nothing is kept but that there was one: no name, no address, no path, and no key in the
store.
"""

from __future__ import annotations

from aegis_authz.check.authenticate import Authenticator
from aegis_authz.check.credentials import credentials_of
from aegis_authz.check.draft import Draft
from aegis_authz.core.call import ToolCall
from aegis_authz.core.identity import Identity
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.residency import is_of_sibling
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.identity.token import unverified_audience
from aegis_authz.wire.http.call import HttpCall


def resident(authenticator: Authenticator, http: HttpCall, snapshot: Snapshot, region: str, draft: Draft) -> Identity:
    """Who sends a request, of a tenant that is at home in `region`, "" for a mesh without regions.

    Raises what `Authenticator.identify` raises, and Refused(WRONG_REGION): for a tenant of another region, for a token
    that says to be for another one, and for all calls where the bundle is of another region than the worker. Then the
    draft says that the call is foreign.
    """
    residency = snapshot.residency
    own = "" if residency is None else residency.region
    if own != region:
        raise _foreign(draft, f"the bundle is of {own or 'no region'}, and the gateway of {region or 'none'}")
    if residency is None:
        return authenticator.identify(http, snapshot, draft.arrived_at)
    try:
        identity = authenticator.identify(http, snapshot, draft.arrived_at)
    except Refused as refusal:
        if refusal.reason is Reason.CREDENTIAL_UNTRUSTED and _is_for_sibling(http, snapshot, region):
            raise _foreign(draft, "the token is for another region") from None
        raise
    if not residency.is_home(identity.scope):
        raise _foreign(draft, "the tenant is at home in another region")
    return identity


def refuse_far(call: ToolCall, snapshot: Snapshot) -> None:
    """Raise Refused(WRONG_REGION) for a call of a tool in another region."""
    if call.tool in snapshot.catalogue.far:
        raise Refused(Reason.WRONG_REGION, f"{call.tool} is in {snapshot.catalogue.by_name[call.tool].region}")


def region_facts(draft: Draft) -> dict[str, Json]:
    """Where a tool is that is in another region, and its gateway, as far as that is told; {} for a tenant of another:
    who shows a token that did not verify learns nothing.
    """
    call, snapshot = draft.call, draft.snapshot
    if draft.is_foreign or call is None or snapshot is None or call.tool not in snapshot.catalogue.far:
        return {}
    region = snapshot.catalogue.by_name[call.tool].region
    gateway = "" if snapshot.residency is None else snapshot.residency.gateways.get(region, "")
    return {"region": {"name": region, **({"gateway": gateway} if gateway else {})}}


def _foreign(draft: Draft, detail: str) -> Refused:
    draft.is_foreign = True
    return Refused(Reason.WRONG_REGION, detail)


def _is_for_sibling(http: HttpCall, snapshot: Snapshot, region: str) -> bool:
    """Whether the token, which did not verify here, says that it is for another region: a refusal either way."""
    tokens = credentials_of(http).tokens
    audience = unverified_audience(tokens[0]) if len(tokens) == 1 else ""
    return is_of_sibling(audience, snapshot.trust.audience, region)

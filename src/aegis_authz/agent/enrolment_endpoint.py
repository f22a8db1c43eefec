"""How an agent brings its own key to the control plane, for a code that is good once."""

from __future__ import annotations

import aiohttp

from aegis_authz.agent.answers import AnswerTooLong, whole_body
from aegis_authz.agent.enrolment import Enrolment, EnrolmentFault
from aegis_authz.agent.proof import ProofKey
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.narrowing import mapping, text

PATH = "/v1/enroll"
_SECONDS = 20


async def enrol(session: aiohttp.ClientSession, control: str, code: str, key: ProofKey) -> Enrolment:
    """Show the code and the public key at the control plane with this base URL. Raises EnrolmentFault."""
    url = f"{control.rstrip('/')}{PATH}"
    request = {"code": code, "jwk": dict(key.jwk), "proof": key.enrolment_proof(code, url)}
    try:
        async with session.post(
            url,
            json=request,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=_SECONDS),
        ) as response:
            body, status = await whole_body(response), response.status
    except AnswerTooLong as fault:
        raise EnrolmentFault(f"the control plane at {url} answered {fault}") from None
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as fault:
        raise EnrolmentFault(f"the control plane does not answer at {url}: {fault or type(fault).__name__}") from None
    try:
        answer = strict_json.parse_object(body)
        if status != 200:
            raise EnrolmentFault(f"the control plane at {url} refused: {_why(answer, status)}")
        return _enrolment(answer)
    except (Refused, ValueError):
        raise EnrolmentFault(f"{url} answered with status {status} and no enrolment") from None


def _why(answer: dict[str, Json], status: int) -> str:
    detail = answer.get("detail")
    return detail if isinstance(detail, str) and detail else f"status {status}"


def _enrolment(answer: dict[str, Json]) -> Enrolment:
    mesh = mapping(answer.get("mesh"), "mesh")
    enrolment = Enrolment(
        agent=text(answer.get("agent"), "agent"),
        token_endpoint=text(answer.get("token_endpoint"), "token_endpoint"),
        issuer=text(answer.get("issuer"), "issuer"),
        audience=text(answer.get("audience"), "audience"),
        proxy=text(mesh.get("forward_proxy"), "forward_proxy"),
        reverse=text(mesh.get("reverse"), "reverse"),
        authorities="",
        evaluation=text(mesh.get("evaluation", ""), "evaluation"),
    )
    Scope.parse(enrolment.agent)
    return enrolment

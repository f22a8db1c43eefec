"""The token endpoint: open to everyone, because whoever asks proves itself in the request (RFC 6749 section 3.2)."""

from __future__ import annotations

from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from aegis_authz.api.tokens import TokenAnswer, TokenRefusal
from aegis_authz.control.agents.issuing import TokenIssuer, TokenRequest
from aegis_authz.control.http import open_router
from aegis_authz.core.json_value import Json
from aegis_authz.identity.issuance import Denial, NotIssued
from aegis_authz.wire.authorization_details import granted_details

_MEDIA_TYPE = "application/x-www-form-urlencoded"
_MAX_BODY_BYTES = 32 * 1024
_MAX_FIELDS = 16
_FORM: dict[str, Json] = {
    "requestBody": {
        "required": True,
        "content": {
            _MEDIA_TYPE: {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {
                            "type": "string",
                            "description": "client_credentials, or the URN of a token exchange.",
                        },
                        "client_assertion_type": {"type": "string", "description": "That of RFC 7523."},
                        "client_assertion": {
                            "type": "string",
                            "description": "A JWS by a registered key of the agent.",
                        },
                        "subject_token": {"type": "string", "description": "The token of a trusted issuer (RFC 8693)."},
                        "subject_token_type": {
                            "type": "string",
                            "description": "A JWT, an ID token or an access token.",
                        },
                        "actor_token": {
                            "type": "string",
                            "description": "A token of the agent that acts for the subject.",
                        },
                        "actor_token_type": {"type": "string", "description": "As subject_token_type."},
                        "authorization_details": {
                            "type": "string",
                            "description": "What a token of this mesh is narrowed to (RFC 9396), as JSON.",
                        },
                        "dpop_jkt": {
                            "type": "string",
                            "description": "The thumbprint of a sub-agent's key that the narrower token is bound to.",
                        },
                    },
                }
            }
        },
    },
    "parameters": [
        {
            "name": "DPoP",
            "in": "header",
            "required": True,
            "description": "A proof of the key that the token shall be bound to (RFC 9449).",
            "schema": {"type": "string"},
        }
    ],
}


def token_routes(issuer: TokenIssuer) -> list[APIRouter]:
    """`POST /v1/token`."""
    everyone = open_router()

    @everyone.post(
        "/v1/token",
        openapi_extra=_FORM,
        response_model_exclude_none=True,
        responses={400: {"model": TokenRefusal, "description": "Why none was issued."}},
    )
    async def issue_token(request: Request, response: Response) -> TokenAnswer:
        """Issue a token that is bound to the caller's key."""
        issued = await issuer.issue(
            TokenRequest(await _form(request), request.headers.getlist("dpop"), _source(request))
        )
        response.headers["pragma"] = "no-cache"
        return TokenAnswer(
            access_token=issued.token,
            token_type="DPoP",  # noqa: S106  # a scheme
            expires_in=issued.expires_in,
            authorization_details=[*granted_details(issued.grant[-1])] if issued.grant else None,
        )

    return [everyone]


async def _form(request: Request) -> dict[str, str]:
    """The parameters of a form, each given once. Raises NotIssued."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _MEDIA_TYPE:
        raise NotIssued(Denial.FORM)
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _MAX_BODY_BYTES:
            raise NotIssued(Denial.BODY)
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise NotIssued(Denial.FORM) from None
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise NotIssued(Denial.FORM)
    return parameters


def _source(request: Request) -> str:
    return request.client.host if request.client is not None else ""

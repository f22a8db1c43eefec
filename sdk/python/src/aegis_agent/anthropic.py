"""Clients of the Anthropic SDK whose calls go through the mesh; for whatever speaks its API."""

from __future__ import annotations

from typing import Any

import anthropic

from aegis_agent.aegis import Aegis
from aegis_agent.model_clients import AsyncModelClient, ModelClient, async_http_client, http_client


def anthropic_client(aegis: Aegis, **options: Any) -> anthropic.Anthropic:
    """An `anthropic.Anthropic` of an agent; takes its options, but `http_client`. Its calls raise AegisError."""
    return _Anthropic(http_client=http_client(aegis), **options)


def async_anthropic_client(aegis: Aegis, **options: Any) -> anthropic.AsyncAnthropic:
    """An `anthropic.AsyncAnthropic` of an agent, as `anthropic_client`."""
    return _AsyncAnthropic(http_client=async_http_client(aegis), **options)


class _Anthropic(ModelClient, anthropic.Anthropic):
    faults, refusals = anthropic.APIError, anthropic.APIStatusError


class _AsyncAnthropic(AsyncModelClient, anthropic.AsyncAnthropic):
    faults, refusals = anthropic.APIError, anthropic.APIStatusError

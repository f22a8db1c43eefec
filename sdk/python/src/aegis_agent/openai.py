"""Clients of the OpenAI SDK whose calls go through the mesh; for whatever speaks its API."""

from __future__ import annotations

from typing import Any

import openai

from aegis_agent.aegis import Aegis
from aegis_agent.model_clients import AsyncModelClient, ModelClient, async_http_client, http_client


def openai_client(aegis: Aegis, **options: Any) -> openai.OpenAI:
    """An `openai.OpenAI` of an agent; takes its options, but `http_client`. Its calls raise AegisError."""
    return _OpenAI(http_client=http_client(aegis), **options)


def async_openai_client(aegis: Aegis, **options: Any) -> openai.AsyncOpenAI:
    """An `openai.AsyncOpenAI` of an agent, as `openai_client`."""
    return _AsyncOpenAI(http_client=async_http_client(aegis), **options)


class _OpenAI(ModelClient, openai.OpenAI):
    faults, refusals = openai.APIError, openai.APIStatusError


class _AsyncOpenAI(AsyncModelClient, openai.AsyncOpenAI):
    faults, refusals = openai.APIError, openai.APIStatusError

"""What a call of a language model says of its tokens: the shapes of OpenAI, Anthropic and Gemini.

Sources: OpenAI API reference, chat completions and responses; Anthropic API reference, messages; Gemini API reference,
models.generateContent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.call import ToolCall
from aegis_authz.core.catalogue import Parameter, ParameterSource
from aegis_authz.core.json_value import Json
from aegis_authz.core.price import MOST_TOKENS
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.pointer import split

_CONFIGS = ("/generationConfig", "/generation_config")
"""Gemini takes each name in either spelling, wherever it stands (protobuf JSON mapping): the largest of all counts."""
_FLAT_LIMITS = ("/max_completion_tokens", "/max_tokens", "/max_output_tokens")
_CONFIG_LIMITS = tuple(f"{config}/{name}" for config in _CONFIGS for name in ("maxOutputTokens", "max_output_tokens"))
_OWN_LIMITS = {
    "/contents": _CONFIG_LIMITS,
    "/messages": ("/max_completion_tokens", "/max_tokens"),
    "/prompt": ("/max_tokens",),
    "/input": ("/max_output_tokens",),
}
"""In which words who reads that prompt reads a limit. Some ignore what they do not know: several may stand there."""
_ANSWERS = ("/n", *(f"{config}/{name}" for config in _CONFIGS for name in ("candidateCount", "candidate_count")))
_MOST_ANSWERS = 1024
_REFERENCES = frozenset(
    """
    previous_response_id conversation file_id file_ids file_url image_url file_uri fileUri file_data fileData
    cachedContent cached_content vector_store_ids container server_url mcp_servers
    """.split()  # noqa: SIM905  # a list of quoted words is harder to read
)
"""Members by which a request names what it does not hold: stored turns, files, what the provider fetches."""
_TOOL_KINDS = ("web_search", "file_search", "web_fetch", "code_interpreter", "code_execution", "mcp", "computer")
_TOOL_MEMBERS = frozenset(("googleSearch", "google_search", "urlContext", "url_context", "codeExecution"))


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """The model, the most tokens of one answer (None where the call does not say), how many answers, and by which
    member the call refers to what it does not hold ("" for none).
    """

    model: str
    max_output: int | None
    answers: int
    refers: str


def read_model_request(call: ToolCall, parameters: Sequence[Parameter], model_at: str) -> ModelRequest:
    """Read a request. `model_at` is where the model is named, as `TokenPrice.model`.

    Raises Refused(COST_UNKNOWN) when it names none, or limits its answer by what is no number of tokens.
    """
    parts = _body_parts(call, parameters)
    model = _in_path(call, parameters, model_at) if model_at.startswith("{") else _at(parts, model_at)
    if not isinstance(model, str) or not model:
        raise _unknown(f"it names no model at {model_at}")
    readers = [places for prompt, places in _OWN_LIMITS.items() if _names(parts, prompt)] or [_FLAT_LIMITS]
    # a limit in words that a reader of it does not read limits nothing; beside its own it may only raise the estimate
    is_limited = all(_limits(parts, places) for places in readers)
    limits = _limits(parts, (*_FLAT_LIMITS, *_CONFIG_LIMITS))
    answers = [_whole(value, at, _MOST_ANSWERS) for at in _ANSWERS if (value := _at(parts, at)) is not None]
    most = max(limits, default=None) if is_limited else None
    return ModelRequest(model, most, max(answers, default=1), _reference(parts))


def _names(parts: Mapping[str, Json], member: str) -> bool:
    return _at(parts, member) is not None or any(place.startswith(f"{member}/") for place in parts)


def _limits(parts: Mapping[str, Json], places: Sequence[str]) -> list[int]:
    return [_whole(value, at, MOST_TOKENS) for at in places if (value := _at(parts, at)) is not None]


def _whole(value: Json, at: str, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most:
        raise _unknown(f"{at} is no whole number from 1 to {most}")
    return value


def _body_parts(call: ToolCall, parameters: Sequence[Parameter]) -> Mapping[str, Json]:
    """What is known of the body, by pointer: what the catalogue lists and what it lets pass; else all that came."""
    if not parameters:
        return {"": dict(call.parameters)}
    listed = {
        parameter.at: call.parameters[parameter.name]
        for parameter in parameters
        if parameter.source is ParameterSource.BODY and parameter.name in call.parameters
    }
    return {**call.besides, **listed}


def _at(parts: Mapping[str, Json], pointer: str) -> Json:
    """The value at a pointer, None where there is none."""
    for place, value in parts.items():
        if pointer == place or pointer.startswith(f"{place}/"):
            inside = _inside(value, split(pointer[len(place) :]))
            if inside is not None:
                return inside
    return None


def _inside(value: Json, names: Sequence[str]) -> Json:
    for name in names:
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value


def _in_path(call: ToolCall, parameters: Sequence[Parameter], model_at: str) -> Json:
    variable = model_at[1:-1]
    if not parameters:
        return call.parameters.get(variable)
    for parameter in parameters:
        if parameter.source is ParameterSource.PATH and parameter.at == variable:
            return call.parameters.get(parameter.name)
    return None


def _reference(parts: Mapping[str, Json]) -> str:
    for place in parts:
        name = place.rpartition("/")[2]
        if name in _REFERENCES:
            return name
    return next(_references([*parts.values()]), "")


def _references(values: list[Json]) -> Iterator[str]:
    while values:
        value = values.pop()
        if isinstance(value, Mapping):
            for name, member in value.items():
                if (name in _REFERENCES and not _is_inline(member)) or name in _TOOL_MEMBERS:
                    yield name
                if name == "type" and isinstance(member, str) and member.startswith(_TOOL_KINDS):
                    yield member
                values.append(member)
        elif isinstance(value, list):
            values.extend(value)


def _is_inline(value: Json) -> bool:
    """Whether what would be a reference is the data itself (`data:` URL), or nothing."""
    url = value.get("url") if isinstance(value, Mapping) else value
    return url is None or (isinstance(url, str) and url.startswith("data:"))


def _unknown(detail: str) -> Refused:
    return Refused(Reason.COST_UNKNOWN, detail)

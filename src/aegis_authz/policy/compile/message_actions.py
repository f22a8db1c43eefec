"""The actions of a tool held against its descriptor set: methods that are there, and parameters that a message has."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, MethodDescriptor

from aegis_authz.core.catalogue import Action, BodyFormat, Parameter, ParameterSource, ParameterType, Tool
from aegis_authz.core.interface import NO_INTERFACE, Interface, Method, Sending
from aegis_authz.policy.compile.descriptors import Descriptors, DescriptorsUnusable
from aegis_authz.policy.compile.message_places import ANY_KIND, kind_at
from aegis_authz.policy.compile.message_types import types_of
from aegis_authz.policy.language.catalogue import ToolEntry
from aegis_authz.policy.source.problems import quoted
from aegis_authz.policy.source.reader import Location

Fault = tuple[Location, str]

_WITHOUT_MESSAGE = ("/service", "/method")
"""What is known of a call whose messages nobody reads."""


def interface_of(entry: ToolEntry, tool: Tool, descriptors: Descriptors | None) -> tuple[Interface, list[Fault]]:
    """What is known of the messages of a tool, and what is wrong with its actions by that.

    `descriptors` is the set that the entry names, None where it names none.
    """
    streams = {name for name, action in (entry.actions or {}).items() if action.stream is not None}
    faults: list[Fault] = []
    methods: dict[str, Method] = {}
    requests: list[Descriptor] = []
    for action in tool.actions:
        if BodyFormat.MESSAGE in action.bodies:
            method, wrong = _method(action, action.name in streams, descriptors)
            faults += wrong
            if action.name in streams:
                methods[action.name] = Method(Sending.OPAQUE, "")
            elif method is not None:
                sending = Sending.STREAM if method.client_streaming else Sending.MESSAGE
                methods[action.name] = Method(sending, method.input_type.full_name)
                requests.append(method.input_type)
        elif action.name in streams:
            faults.append((_at(action, "stream"), "is about gRPC: the action needs body: grpc"))
    if descriptors is not None and not tool.has_messages:
        faults.append((("descriptor_set",), "no action of this tool has body: grpc"))
    if faults or not methods:
        return NO_INTERFACE, faults
    try:
        messages, enums = types_of(requests)
    except DescriptorsUnusable as fault:
        return NO_INTERFACE, [(("descriptor_set",), str(fault))]
    return Interface(methods, messages, enums), []


def _method(
    action: Action, is_stream: bool, descriptors: Descriptors | None
) -> tuple[MethodDescriptor | None, list[Fault]]:
    """The method of an action, None where no set tells it, and what is wrong with the action by that."""
    faults = [*_shape_faults(action, is_stream, descriptors is not None)]
    method = None
    if descriptors is not None and not faults:
        service, name = action.template
        try:
            method = descriptors.method(service, name)
        except DescriptorsUnusable as fault:
            faults.append((_at(action, "match"), f"the descriptor set {fault}"))
    if is_stream:
        faults += _stream_faults(action, method)
    elif method is not None:
        faults += _parameter_faults(action, method)
    return method, faults


def _at(action: Action, *words: str) -> Location:
    return ("actions", action.name, *words)


def _shape_faults(action: Action, is_stream: bool, has_descriptors: bool) -> Iterator[Fault]:
    if not is_stream and not has_descriptors:
        return
    why = "whose messages are not read" if is_stream else "whose messages are read by a descriptor set"
    if action.bodies != (BodyFormat.MESSAGE,):
        yield _at(action, "body"), f"an action {why} takes grpc alone"
    is_path = len(action.template) == 2 and not any("{" in part or not part for part in action.template)
    if action.method != "POST" or not is_path:
        yield _at(action, "match"), f"an action {why} is matched by POST /service/method, without variables"


def _stream_faults(action: Action, method: MethodDescriptor | None) -> Iterator[Fault]:
    if method is not None and not method.client_streaming:
        yield _at(action, "stream"), f"{quoted(method.name)} is sent one message, which is judged: leave this out"
    for parameter in _of_body(action):
        if parameter.at not in _WITHOUT_MESSAGE:
            where = _at(action, "parameters", parameter.name, "from")
            yield where, "no message of a stream is read: take /service, /method or a header"


def _parameter_faults(action: Action, method: MethodDescriptor) -> Iterator[Fault]:
    for parameter in _of_body(action):
        where = _at(action, "parameters", parameter.name)
        try:
            kind, elements = kind_at(method.input_type, parameter.at)
        except DescriptorsUnusable as fault:
            yield (*where, "from"), f"the descriptor set says otherwise: {fault}"
            continue
        if not _fits(parameter.type, kind):
            yield (*where, "type"), f"{quoted(parameter.at)} is of type {kind} by the descriptor set"
        elif parameter.items is not None and elements and not _fits(parameter.items, elements):
            yield (*where, "items"), f"an element of {quoted(parameter.at)} is of type {elements} by the descriptor set"


def _of_body(action: Action) -> Iterator[Parameter]:
    return (parameter for parameter in action.parameters if parameter.source is ParameterSource.BODY)


def _fits(declared: ParameterType, kind: str) -> bool:
    if declared is ParameterType.ANY or kind == ANY_KIND:
        return True
    return declared.value == kind or (declared is ParameterType.NUMBER and kind == "integer")

"""A catalogue with a descriptor set: what it carries of it, and what is wrong with actions that it does not bear out."""

from __future__ import annotations

import base64

import pytest

from aegis_authz.core.catalogue import Tool
from aegis_authz.core.interface import NO_INTERFACE, Method, Sending
from aegis_authz.policy.bundle.tool_data import tools_from_data, tools_to_data
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors
from tests.support.descriptors import REQUEST, descriptor_set

SET = base64.b64encode(descriptor_set()).decode()
HEAD = "tool: pay\nhost: pay.example\ndescriptor_set: sets/pay.binpb\nactions:\n"
TALK = "  talk: {match: POST /pay.v1.Payments/Talk, body: grpc%s}\n"
CREATE = "  create:\n    match: POST /pay.v1.Payments/Create\n    body: grpc\n    parameters:\n      p: {%s}\n"


def loaded(text: str) -> Tool:
    return load({}, {"tools/pay.yaml": text, "tools/sets/pay.binpb": SET}).tools[0]


def problems(text: str, content: str | None = SET) -> list[str]:
    texts = {"tools/pay.yaml": text} | ({} if content is None else {"tools/sets/pay.binpb": content})
    with pytest.raises(PolicyErrors) as errors:
        load({}, texts)
    return [f"{problem.field}: {problem.message}" for problem in errors.value.problems]


def test_the_types_of_requests_are_part_of_a_tool_and_come_through_a_bundle() -> None:
    text = (
        HEAD + CREATE % "from: /amount, type: integer" + TALK % ", stream: opaque" + TALK.replace("talk", "listen") % ""
    )
    text = text.replace("listen: {match: POST /pay.v1.Payments/Talk", "listen: {match: POST /pay.v1.Payments/Collect")
    tool = loaded(text)
    assert tool.interface.methods == {
        "create": Method(Sending.MESSAGE, REQUEST),
        "talk": Method(Sending.OPAQUE, ""),
        "listen": Method(Sending.STREAM, REQUEST),
    }
    assert tool.interface.messages[REQUEST].fields[1].name == "amount"
    assert tools_from_data(tools_to_data([tool])) == (tool,)


def test_without_a_set_a_stream_may_be_named_nevertheless() -> None:
    text = "tool: pay\nhost: pay.example\nactions:\n" + TALK % ", stream: opaque, parameters: {m: {from: /method}}"
    tool = load({}, {"tools/pay.yaml": text}).tools[0]
    assert tool.interface.methods == {"talk": Method(Sending.OPAQUE, "")}
    plain = load({}, {"tools/pay.yaml": text.replace(", stream: opaque", "")}).tools[0]
    assert plain.interface == NO_INTERFACE
    assert "interface" not in tools_to_data([plain])[0]  # type: ignore[operator]  # an object


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/amount", "integer"),
        ("/amount", "number"),
        ("/currency", "string"),
        ("/kind", "string"),
        ("/kinds", "array, items: string"),
        ("/payee", "object"),
        ("/payee/limit", "integer"),
        ("/payees/0/tags", "array"),
        ("/payees/2", "object"),
        ("/labels", "object"),
        ("/labels/team", "string"),
        ("/by_number/7", "object"),
        ("/due", "string"),
        ("/wait", "string"),
        ("/meta", "object"),
        ("/meta/a/b", "integer"),
        ("/extra", "array"),
        ("/rows", "array"),
        ("/a_double", "number"),
        ("/a_string", "string"),
        ("/one_bytes", "object"),
        ("/one_bool", "boolean"),
        ("/parent/parent/amount", "integer"),
    ],
)
def test_a_parameter_is_taken_from_a_field_of_its_type(place: str, kind: str) -> None:
    loaded(HEAD + CREATE % f"from: {place}, type: {kind}")


@pytest.mark.parametrize(
    ("parameter", "problem"),
    [
        ("from: /amout", "has no field 'amout'; did you mean 'amount'?"),
        ("from: /payee/nam", "'pay.v1.Payee' has no field 'nam'; did you mean 'name'?"),
        ("from: /amount, type: string", "'/amount' is of type integer by the descriptor set"),
        ("from: /one_double, type: integer", "'/one_double' is of type number"),
        ("from: /due, type: integer", "'/due' is of type string"),
        ("from: /kinds, type: array, items: integer", "an element of '/kinds' is of type string"),
        ("from: /payees/first", "'payees' is a list, of which 'first' is no position"),
        ("from: /by_number/7/name", "'by_number' is a map: take an entry as a whole"),
        ("from: /currency/0", "'currency' has no fields that are told apart"),
        ("from: /one_bytes/size", "'one_bytes' has no fields that are told apart"),
        ("from: /due/seconds", "'due' has no fields that are told apart"),
        ("from: /a_string/value", "'a_string' has no fields that are told apart"),
    ],
)
def test_a_parameter_that_no_message_can_have_is_an_error(parameter: str, problem: str) -> None:
    (sentence,) = problems(HEAD + CREATE % parameter)
    assert problem in sentence


def test_a_group_is_no_parameter() -> None:
    text = "  place: {match: POST /pay.v0.Orders/Place, body: grpc, parameters: {o: {from: /old}}}\n"
    assert "'old' is a group, which is not read" in problems(HEAD + text)[0]


@pytest.mark.parametrize(
    ("action", "place", "problem"),
    [
        ("match: POST /pay.v1.Payments/Creat, body: grpc", "match", "has no method 'Creat'"),
        ("match: POST /pay.v1.Payment/Create, body: grpc", "match", "has no service 'pay.v1.Payment'"),
        ("match: 'POST /pay.v1.Payments/{m}', body: grpc", "match", "matched by POST /service/method"),
        ("match: PUT /pay.v1.Payments/Create, body: grpc", "match", "matched by POST /service/method"),
        ("match: POST /v1/pay.v1.Payments/Create, body: grpc", "match", "matched by POST /service/method"),
        ("match: POST /pay.v1.Payments/Create, body: [grpc, json]", "body", "takes grpc alone"),
        ("match: POST /pay.v1.Payments/Create, body: grpc, stream: opaque", "stream", "'Create' is sent one message"),
        ("match: POST /pay.v1.Payments/Talk, stream: opaque", "stream", "the action needs body: grpc"),
        ("match: POST /pay.v1.Payments/Talk, body: grpc, stream: judged", "stream", "opaque"),
        (
            "match: POST /pay.v1.Payments/Talk, body: grpc, stream: opaque, parameters: {a: {from: /amount}}",
            "parameters.a.from",
            "no message of a stream is read",
        ),
    ],
)
def test_an_action_that_the_set_does_not_bear_out_is_an_error(action: str, place: str, problem: str) -> None:
    sentences = problems(f"{HEAD}  plain: {{match: POST /pay.v1.Payments/Watch, body: grpc}}\n  x: {{{action}}}\n")
    assert any(sentence.startswith(f"actions.x.{place}: ") and problem in sentence for sentence in sentences)


def test_a_set_that_no_action_needs_is_an_error() -> None:
    assert problems(f"{HEAD}  x: {{match: POST /v1/x}}\n") == ["descriptor_set: no action of this tool has body: grpc"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "'sets/pay.binpb' is not among the files of the catalogue"),
        ("not base64!", "'sets/pay.binpb' is not carried as base64"),
        (base64.b64encode(b"x").decode(), "'sets/pay.binpb' is no FileDescriptorSet"),
        (base64.b64encode(bytes(5 * 2**20)).decode(), "'sets/pay.binpb' larger than 4194304 bytes"),
    ],
)
def test_a_file_that_is_no_set_is_an_error_where_it_is_named(content: str | None, problem: str) -> None:
    (sentence,) = problems(HEAD + TALK % "", content)
    assert sentence.startswith(f"descriptor_set: {problem}")


@pytest.mark.parametrize("name", ["/etc/pay.binpb", "../pay.binpb", "a/../pay.binpb", "pay.proto", "./pay.binpb", ""])
def test_a_set_stands_beside_the_document_or_below_it(name: str) -> None:
    (sentence,) = problems(HEAD.replace("sets/pay.binpb", f'"{name}"') + TALK % "")
    assert sentence.startswith("descriptor_set: must ")


def test_an_mcp_server_has_no_descriptor_set() -> None:
    text = "tool: m\nhost: m.example\nmcp: {}\ndescriptor_set: a.binpb\n"
    assert "descriptor_set is about actions with body: grpc" in problems(text)[0]


def test_a_set_among_policies_is_an_error() -> None:
    with pytest.raises(PolicyErrors, match="a descriptor set stands among the tools that name it"):
        load({"policies/pay.binpb": SET}, {})

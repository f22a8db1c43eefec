"""Which action a path is: tails, texts beside variables, HEAD, and what no two readers may take differently."""

from __future__ import annotations

from itertools import permutations

import pytest

from aegis_authz.core.call import ToolCall
from aegis_authz.core.catalogue import (
    JSON_ALONE,
    ONE_OPERATION,
    Action,
    Catalogue,
    Parameter,
    ParameterSource,
    ParameterType,
    Tool,
)
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.tool_call import read_tool_call

PATH = Parameter("path", ParameterSource.PATH, "path", ParameterType.STRING, False, None)


def action(name: str, request: str, *parameters: Parameter) -> Action:
    method, _, path = request.partition(" ")
    return Action(name, method, tuple(path[1:].split("/")), parameters, False, JSON_ALONE, ONE_OPERATION)


FILES = (
    action("read", "GET /files/{path...}", PATH),
    action("index", "GET /files/{name}"),
    action("keys", "GET /files/secret/keys"),
    action("vault", "GET /files/vault/{path...}"),
    action("report", "GET /reports/{id}.json"),
    action("summary", "GET /reports/{id}"),
    action("start", "POST /jobs/{name}:start"),
    action("create", "POST /jobs/{name}"),
    action("compare", "GET /compare/{left}...{right}"),
    action("package", "GET /packages/{name}@{version}"),
    action("probe", "HEAD /packages/{name}"),
    action("show", "GET /packages/{name}"),
)


def read(request: str, actions: tuple[Action, ...] = FILES) -> ToolCall:
    method, _, path = request.partition(" ")
    path, _, query = path.partition("?")
    tool = Tool("files", "files.example", None, "", actions, "", "", None, False, False, NO_INTERFACE)
    call = HttpCall("", method, "http", "files.example", None, path, query, {}, b"", "", "", "", "", "", False)
    return read_tool_call(call, Catalogue.of((tool,)))


@pytest.mark.parametrize(
    ("request_", "name", "parameters"),
    [
        ("GET /files/a/b/c.txt", "read", {"path": "a/b/c.txt"}),
        ("GET /files/a/%E6%9D%B1%20%E4%BA%AC", "read", {"path": "a/東 京"}),
        ("GET /files/a", "index", {"name": "a"}),
        ("GET /files/secret/keys", "keys", {}),
        ("GET /files/secret/other", "read", {"path": "secret/other"}),
        ("GET /files/vault/a/b", "vault", {"path": "a/b"}),
        ("GET /files/...a/b", "read", {"path": "...a/b"}),
        ("GET /reports/7.json", "report", {"id": "7"}),
        ("GET /reports/7.json.json", "report", {"id": "7.json"}),
        ("GET /reports/7.xml", "summary", {"id": "7.xml"}),
        ("GET /reports/.json", "summary", {"id": ".json"}),
        ("POST /jobs/nightly:start", "start", {"name": "nightly"}),
        ("POST /jobs/a:b:start", "start", {"name": "a:b"}),
        ("POST /jobs/nightly", "create", {"name": "nightly"}),
        ("POST /jobs/nightly:stop", "create", {"name": "nightly:stop"}),
        ("GET /compare/v1...v2", "compare", {"left": "v1", "right": "v2"}),
        ("GET /packages/left-pad@1.0", "package", {"name": "left-pad", "version": "1.0"}),
    ],
)
def test_a_path_is_the_same_action_in_whatever_order_the_catalogue_lists_them(
    request_: str, name: str, parameters: dict[str, str]
) -> None:
    for actions in (FILES, FILES[::-1], FILES[5:] + FILES[:5]):
        call = read(request_, actions)
        assert (call.action, call.parameters) == (name, parameters)


def test_literal_beats_variable_beats_tail_in_every_order() -> None:
    rivals = (
        action("l", "GET /f/x"),
        action("m", "GET /f/{a}.x"),
        action("v", "GET /f/{a}"),
        action("t", "GET /f/{a...}"),
    )
    for actions in permutations(rivals):
        assert [read(f"GET /f/{path}", actions).action for path in ("x", "y.x", "y", "y/x")] == ["l", "m", "v", "t"]


@pytest.mark.parametrize(
    "path",
    [
        "/files/a/../b", "/files/a/%2e%2e/b", "/files/a/.%2E", "/files/./a", "/files/a/b%2fc", "/files/a/b%5Cc", "/files/a/b\\c",
        "/files/a/%252e%252e/b", "/files/a/%252Fb", "/files/a/..%20/b", "/files/a/%20../b", "/files/a/.../b", "/files/a/..%3Bx/b",
        "/files/a/..;/b", "/files/a/%EF%BC%8E%EF%BC%8E/b", "/files/a/%E2%80%A5/b", "/files/a/.%E2%80%8D./b", "/files/a/%00",
        "/files/a/%0d%0a", "/files/a/%ff", "/files/a/%zz", "/files/a/%u002e",
    ],
)  # fmt: skip
def test_a_tail_neither_climbs_nor_hides_anything(path: str) -> None:
    with pytest.raises(Refused) as refused:
        read(f"GET {path}")
    assert refused.value.reason is Reason.MALFORMED_CALL
    assert refused.value.fault is not None and refused.value.fault.where == "path"


@pytest.mark.parametrize("path", ["/files", "/files/", "/files/a/", "/files//a", "/files/a//b", "/files/a/b//"])
def test_a_tail_has_no_empty_segment(path: str) -> None:
    with pytest.raises(Refused) as refused:
        read(f"GET {path}")
    assert refused.value.reason is Reason.ACTION_UNKNOWN


@pytest.mark.parametrize(
    "request_",
    [
        "GET /files/Secret/keys", "GET /files/secret/keys.txt", "GET /files/secret/%256beys", "GET /files/secret/KEYS%20",
        "GET /files/VAULT/a/b", "GET /files/vault%20/a", "GET /files/vault./a/b",
        "GET /reports/7.JSON", "GET /reports/7.json.", "GET /reports/7.json%20", "GET /reports/7.json;x", "GET /reports/7%252ejson",
        "POST /jobs/nightly:START", "POST /jobs/nightly:start,x", "POST /jobs/nightly%EF%BC%9Astart",
    ],
)  # fmt: skip
def test_a_path_that_a_server_may_take_for_that_of_another_action_is_refused(request_: str) -> None:
    with pytest.raises(Refused) as refused:
        read(request_)
    assert refused.value.reason is Reason.MALFORMED_CALL


@pytest.mark.parametrize("path", ["/compare/a...b...c", "/compare/a....b", "/packages/a@b@c"])
def test_a_path_that_can_be_split_in_two_ways_is_refused(path: str) -> None:
    with pytest.raises(Refused) as refused:
        read(f"GET {path}")
    assert refused.value.reason is Reason.MALFORMED_CALL
    assert refused.value.fault is not None and "in several ways" in refused.value.fault.problem


@pytest.mark.parametrize(
    "request_", ["POST /jobs/nightly%3Astart", "GET /packages/left-pad%401.0", "POST /jobs/a%3Astart:start"]
)
def test_a_text_between_variables_is_not_written_in_escapes(request_: str) -> None:
    if request_.endswith(":start"):
        assert read(request_).parameters == {"name": "a:start"}  # the escape is in the variable
        return
    with pytest.raises(Refused) as refused:
        read(request_)
    assert refused.value.fault is not None and "written in escapes" in refused.value.fault.problem


def test_no_variable_beside_a_text_climbs() -> None:
    with pytest.raises(Refused) as refused:
        read("POST /jobs/..:start")
    assert refused.value.fault is not None and "climbs" in refused.value.fault.problem


def test_head_is_the_action_of_get_and_stays_head() -> None:
    call = read("HEAD /files/a/b")
    assert (call.action, call.method, call.parameters) == ("read", "HEAD", {"path": "a/b"})
    assert call.digest != read("GET /files/a/b").digest


def test_an_action_of_head_comes_before_that_of_get() -> None:
    assert read("HEAD /packages/x").action == "probe"
    assert read("GET /packages/x").action == "show"
    assert read("HEAD /packages/x@1").action == "probe"


def test_head_is_no_action_of_another_method() -> None:
    with pytest.raises(Refused) as refused:
        read("HEAD /jobs/nightly")
    assert refused.value.reason is Reason.ACTION_UNKNOWN

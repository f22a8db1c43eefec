"""Lists in a query: a pair for each element, where the catalogue declares a list, and nowhere else."""

from __future__ import annotations

from urllib.parse import quote

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


def listed(name: str, at: str, items: ParameterType | None) -> Parameter:
    return Parameter(name, ParameterSource.QUERY, at, ParameterType.ARRAY, False, items)


FIND = Action(
    "find",
    "GET",
    ("find",),
    (
        listed("tags", "tag", None),
        listed("ids", "id[]", ParameterType.INTEGER),
        listed("words", "word", ParameterType.STRING),
        listed("flags", "flag", ParameterType.BOOLEAN),
        Parameter("q", ParameterSource.QUERY, "q", ParameterType.STRING, False, None),
    ),
    False,
    JSON_ALONE,
    ONE_OPERATION,
)


def read(query: str) -> ToolCall:
    tool = Tool("t", "t.example", None, "", (FIND,), "", "", None, False, False, NO_INTERFACE)
    call = HttpCall("", "GET", "http", "t.example", None, "/find", query, {}, b"", "", "", "", "", "", False)
    return read_tool_call(call, Catalogue.of((tool,)))


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("tag=a&tag=b", {"tags": ["a", "b"]}),
        ("tag=b&q=x&tag=a&tag=b", {"tags": ["b", "a", "b"], "q": "x"}),
        ("tag=a", {"tags": ["a"]}),
        ("tag=", {"tags": [""]}),
        ("tag=a,b", {"tags": ["a,b"]}),
        ("tag=%E6%9D%B1%E3%80%80&tag=1", {"tags": ["\u6771\u3000", "1"]}),
        ("id[]=1&id[]=2", {"ids": [1, 2]}),
        ("id%5B%5D=-7", {"ids": [-7]}),
        ("word=%5B1%5D&word=x", {"words": ["[1]", "x"]}),
        ("flag=true&flag=false", {"flags": [True, False]}),
        ("", {}),
    ],
)
def test_pairs_of_one_name_are_a_list_where_it_is_declared_as_a_list(query: str, parameters: dict[str, object]) -> None:
    assert read(query).parameters == parameters


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("q=1&q=2", Reason.DUPLICATE_KEY),
        ("q[]=1", Reason.MALFORMED_CALL),
        ("tag=a&tag[]=b", Reason.DUPLICATE_KEY),
        ("tag[]=b", Reason.MALFORMED_CALL),
        ("tag[0]=b", Reason.MALFORMED_CALL),
        ("tag=a&Tag=b", Reason.DUPLICATE_KEY),
        ("Tag=a&tag=b", Reason.DUPLICATE_KEY),
        ("id=1", Reason.MALFORMED_CALL),
        ("id[]=1&id=2", Reason.DUPLICATE_KEY),
        ("id[0]=1", Reason.MALFORMED_CALL),
        ("id[]=1&ID[]=2", Reason.DUPLICATE_KEY),
        ("id[]=1&id[]=x", Reason.PARAMETER_TYPE),
        ("id[]=1.5", Reason.PARAMETER_TYPE),
        ("id[]=1e3", Reason.PARAMETER_TYPE),
        ("id[]=", Reason.PARAMETER_TYPE),
        ("id[]=1,2", Reason.PARAMETER_TYPE),
        ("flag=yes", Reason.PARAMETER_TYPE),
        ('tag=["a","b"]', Reason.PARAMETER_TYPE),
        ("tag=%20%5B1%5D", Reason.PARAMETER_TYPE),
        ("other=1&other=2", Reason.DUPLICATE_KEY),
    ],
)
def test_what_a_reader_could_take_for_another_list_is_refused(query: str, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        read(quote(query, safe="=&%"))
    assert refused.value.reason is reason
    assert refused.value.fault is not None and refused.value.fault.where == "query"


def test_the_element_that_does_not_fit_is_named_and_not_told() -> None:
    with pytest.raises(Refused) as refused:
        read("id[]=1&id[]=hunter2")
    assert refused.value.fault is not None
    assert refused.value.fault.problem == 'Element 2 of the parameter "ids" must be an integer, and is no such value.'


def test_the_order_of_elements_is_part_of_what_an_approval_is_for() -> None:
    assert read("tag=a&tag=b").digest != read("tag=b&tag=a").digest
    assert read("tag=a").digest != read("q=a").digest


def test_the_elements_of_a_list_in_a_body_have_their_type_too() -> None:
    ids = Parameter("ids", ParameterSource.BODY, "/ids", ParameterType.ARRAY, False, ParameterType.INTEGER)
    tool = Tool(
        "t",
        "t.example",
        None,
        "",
        (Action("put", "POST", ("ids",), (ids,), False, JSON_ALONE, ONE_OPERATION),),
        "",
        "",
        None,
        False,
        False,
        NO_INTERFACE,
    )

    def put(body: bytes) -> ToolCall:
        call = HttpCall("", "POST", "http", "t.example", None, "/ids", "", {}, body, "", "", "", "", "", False)
        return read_tool_call(call, Catalogue.of((tool,)))

    assert put(b'{"ids":[1,2]}').parameters == {"ids": [1, 2]}
    for body in (b'{"ids":[1,"2"]}', b'{"ids":[1,null]}', b'{"ids":[true]}', b'{"ids":[[1]]}', b'{"ids":1}'):
        with pytest.raises(Refused) as refused:
            put(body)
        assert refused.value.reason is Reason.PARAMETER_TYPE

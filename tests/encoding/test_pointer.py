from __future__ import annotations

import pytest

from aegis_authz.encoding.pointer import is_pointer, split

# RFC 6901, section 5.
RFC = {
    "": (),
    "/foo": ("foo",),
    "/foo/0": ("foo", "0"),
    "/": ("",),
    "/a~1b": ("a/b",),
    "/c%d": ("c%d",),
    '/k"l': ('k"l',),
    "/ ": (" ",),
    "/m~0n": ("m~n",),
}


@pytest.mark.parametrize(("pointer", "names"), RFC.items(), ids=repr)
def test_the_pointers_of_rfc_6901_lead_through_these_names(pointer: str, names: tuple[str, ...]) -> None:
    assert is_pointer(pointer)
    assert split(pointer) == names


def test_an_escaped_tilde_before_a_one_is_no_slash() -> None:
    assert split("/~01") == ("~1",)


@pytest.mark.parametrize("text", ["foo", "foo/bar", "/~", "/a~2b", "/a~", " /a"])
def test_other_texts_are_no_pointers(text: str) -> None:
    assert not is_pointer(text)


def test_what_does_not_start_with_a_slash_is_not_split() -> None:
    with pytest.raises(ValueError):
        split("foo/bar")


def test_a_tilde_that_escapes_nothing_stands_for_itself() -> None:
    assert split("/a~2b/c~") == ("a~2b", "c~")

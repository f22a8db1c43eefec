"""Forms with files: what is read, what is refused and in what words, and that other readers read the same."""

from __future__ import annotations

import email
import email.policy
import hashlib
import time
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.bodies.body import Upload
from aegis_authz.wire.bodies.multipart import boundary_of, multipart_type, read_multipart

END = b"--B--\r\n"


def field(name: str, value: bytes, *more: str) -> bytes:
    head = "\r\n".join([f'Content-Disposition: form-data; name="{name}"', *more])
    return b"--B\r\n" + head.encode() + b"\r\n\r\n" + value + b"\r\n"


def file(name: str, filename: str, content: bytes, media_type: str = "image/png") -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: {media_type}'
    return b"--B\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def read(body: bytes, *repeated: str) -> dict[str, Any]:
    return read_multipart(body, "B", repeated)


def refusal(body: bytes) -> Refused:
    with pytest.raises(Refused) as refused:
        read(body)
    return refused.value


def test_fields_are_texts_and_files_are_what_can_be_said_of_them() -> None:
    content = b"\x89PNG\r\n\x1a\n\0\xff"
    body = field("purpose", "sch\u00f6n".encode()) + file("file", "a.png", content) + END
    assert read(body) == {
        "purpose": "sch\u00f6n",
        "file": {"name": "a.png", "type": "image/png", "size": 10, "sha256": hashlib.sha256(content).hexdigest()},
    }
    assert isinstance(read(body)["file"], Upload)
    assert not isinstance(read(field("file[name]", b"a.png") + END)["file"], Upload)


def test_names_have_brackets_as_in_forms() -> None:
    body = field("tags[]", b"a") + field("tags[]", b"b") + file("pages[0]", "1.png", b"x") + END
    value = read(body)
    assert value["tags"] == ["a", "b"]
    assert value["pages"][0]["name"] == "1.png"
    assert refusal(field("a", b"1") + file("a", "x", b"") + END).reason is Reason.DUPLICATE_KEY
    assert refusal(field("a", b"1") + field("A", b"2") + END).reason is Reason.DUPLICATE_KEY
    assert refusal(file("a", "x", b"") + field("a[name]", b"y") + END).reason is Reason.DUPLICATE_KEY


def test_what_httpx_sends_is_read() -> None:
    request = httpx.Request(
        "POST", "http://x.example/", data={"purpose": "x"}, files={"file": ("a b.txt", b"text", "text/plain")}
    )
    boundary = boundary_of(request.headers["content-type"])
    assert multipart_type(boundary) == request.headers["content-type"]
    value = read_multipart(request.read(), boundary, ())
    assert (value["purpose"], dict(value["file"])["name"]) == ("x", "a b.txt")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"hello\r\n" + field("a", b"1") + END, "nothing may stand before the first part."),
        (b"\r\n" + field("a", b"1") + END, "nothing may stand before the first part."),
        (field("a", b"1") + END + b"bye", "Something stands behind the last boundary."),
        (field("a", b"1") + END + b"\r\n", "Something stands behind the last boundary."),
        (field("a", b"1"), "The last boundary (--boundary--) is missing: the body is cut off"),
        (field("a", b"1") + b"--B", "The last boundary (--boundary--) is missing"),
        (field("a", b"1") + b"--B-", "The last boundary (--boundary--) is missing"),
        (b"--C\r\n\r\n\r\n--C--", "The body does not begin with its boundary"),
        (END, "The body does not begin with its boundary"),
        (b"", "The body does not begin with its boundary"),
        (field("a", b'1\n--B\nContent-Disposition: form-data; name="b"\n\n2') + END, "Choose another one."),
        (field("a", b"1\r\n--B \r\nx") + END, "Choose another one."),
        (field("a", b"1\r\n--Bx\r\n") + END, "Choose another one."),
        (field("a", b"x--B") + END, "Choose another one."),
        (field("a", b"1") + END + field("b", b"2") + END, "Choose another one."),
        (b"--B\r\n\r\n1\r\n" + END, "do not end with an empty line"),
        (b'--B\r\nContent-Disposition: form-data; name="a"\n\n1\r\n' + END, "do not end with an empty line"),
        (b"--B\r\nContent-Type: text/plain\r\n\r\n1\r\n" + END, "must say Content-Disposition: form-data"),
        (b'--B\r\nContent-Disposition: attachment; name="a"\r\n\r\n1\r\n' + END, "must say Content-Disposition"),
        (b"--B\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n" + END, "must say Content-Disposition"),
        (b'--B\r\nContent-Disposition: form-data; name="a"; name="b"\r\n\r\n1\r\n' + END, "must say Content-Disposition"),
        (b'--B\r\nContent-Disposition: form-data; name="a\\"b"\r\n\r\n1\r\n' + END, "without backslashes"),
        (b"--B\r\nContent-Disposition: form-data; name=\"a\"; filename*=UTF-8''x.png\r\n\r\n1\r\n" + END, "no filename*."),
        (b"--B\r\nContent-Disposition: form-data; name=\"a\"; filename=\"x\"; filename*=UTF-8''y\r\n\r\n1\r\n" + END, "no filename*."),
        (b'--B\r\nContent-Disposition: form-data;\r\n name="a"\r\n\r\n1\r\n' + END, "or is folded."),
        (field("a", b"1", "Content-Transfer-Encoding: base64") + END, "neither Content-Disposition nor Content-Type"),
        (field("a", b"1", "X-Other: 1") + END, "neither Content-Disposition nor Content-Type"),
        (field("a", b"1", 'content-disposition: form-data; name="b"') + END, "twice."),
        (field("a", b"1", "Content-Type: multipart/mixed") + END, "is of several parts"),
        (field("a", b"1", "Content-Type: text/plain; charset=utf-16") + END, "says more than charset=utf-8."),
        (field("a", b"{}", "Content-Type: application/json") + END, "which some readers parse."),
        (field("a%22", b"1") + END, "has an escape or a character that cannot be seen."),
        (field("a", b"\xff") + END, "is not UTF-8. Send what is no text as a file."),
        (field("a", b"1\x002") + END, "holds NUL"),
        (field("_charset_", b"utf-16") + END, "asks for another charset."),
        (file("a", "", b"") + END, "Send the name of the file alone."),
        (file("a", "../x", b"") + END, "Send the name of the file alone."),
        (file("a", "..", b"") + END, "Send the name of the file alone."),
        (file("a", "%2e%2e%2fx", b"") + END, "Send the name of the file alone."),
        (file("a", "x\u202egnp.exe", b"") + END, "Send the name of the file alone."),
        (file("a", "x", b"", "image/png; x=y") + END, "says more than charset=utf-8."),
        (b"--B\r\n" + b"x" * 3000 + b"\r\n\r\n1\r\n" + END, "do not end with an empty line within 2048 bytes."),
        (field("a", b"1") * 1001 + END, "has more than 1000 parts"),
    ],
)  # fmt: skip
def test_what_readers_of_parts_read_differently_is_refused_and_says_what_to_change(body: bytes, problem: str) -> None:
    refused = refusal(body)
    assert refused.reason is Reason.MULTIPART_MALFORMED
    assert refused.fault is not None
    assert problem in refused.fault.problem


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=x1", "x1"),
        ('Multipart/Form-Data;boundary="a=b:c"', "a=b:c"),
        ("multipart/form-data; boundary=----WebKitFormBoundary7MA4", "----WebKitFormBoundary7MA4"),
    ],
)
def test_a_boundary_is_read(content_type: str, boundary: str) -> None:
    assert boundary_of(content_type) == boundary
    assert boundary_of(multipart_type(boundary)) == boundary


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; charset=utf-8; boundary=a",
        "multipart/form-data; boundary=a b",
        'multipart/form-data; boundary="a\\"b"',
        'multipart/form-data; boundary="a',
        "multipart/form-data; boundary=" + "a" * 71,
        "multipart/form-data; boundary*=utf-8''a",
        "multipart/form-data; BOUNDARY=a; x=boundary=b",
        "multipart/mixed; boundary=a",
    ],
)
def test_a_boundary_in_doubt_is_refused(content_type: str) -> None:
    with pytest.raises(Refused) as refused:
        boundary_of(content_type)
    assert refused.value.reason is Reason.MULTIPART_MALFORMED


def test_a_body_of_boundaries_is_refused_in_time() -> None:
    for body in (b"--B\r\n" * 200_000, b"\r\n--B" * 200_000, b"--B\r\n" + b"a:" * 500_000):
        begun = time.process_time()
        assert refusal(body).reason is Reason.MULTIPART_MALFORMED
        assert time.process_time() - begun < 0.2


async def starlette_reads(body: bytes) -> list[tuple[str, str | bytes]]:
    """What Starlette's reader makes of it."""

    async def chunks() -> Any:
        yield body

    form = await MultiPartParser(Headers({"content-type": "multipart/form-data; boundary=B"}), chunks()).parse()  # type: ignore[arg-type]
    fields = form.multi_items()
    values = [(name, await part.read() if isinstance(part, UploadFile) else part) for name, part in fields]
    await form.close()
    return values


def python_reads(body: bytes) -> list[tuple[str, bytes]]:
    """What Python's reader of mail makes of it."""
    message = email.message_from_bytes(
        b"Content-Type: multipart/form-data; boundary=B\r\n\r\n" + body, policy=email.policy.HTTP
    )
    return [
        (str(part.get_param("name", header="content-disposition")), part.get_payload(decode=True) or b"")  # type: ignore[union-attr,misc]
        for part in message.iter_parts()  # type: ignore[attr-defined]
    ]


NAMES = st.from_regex(r"[a-c]{1,3}", fullmatch=True)
CONTENTS = st.binary(max_size=20) | st.sampled_from([b"\r\n", b"--B", b"\r\n--B", b"-", b"--", b"a\nb\r\n"])


@given(st.lists(st.tuples(NAMES, CONTENTS, st.booleans()), min_size=1, max_size=4))
async def test_what_is_read_is_what_starlette_and_python_read(parts: list[tuple[str, bytes, bool]]) -> None:
    body = (
        b"".join(file(name, "f", content) if is_file else field(name, content) for name, content, is_file in parts)
        + END
    )
    try:
        value = read(body)
    except Refused as refused:
        assert refused.reason in (Reason.MULTIPART_MALFORMED, Reason.DUPLICATE_KEY)
        return
    theirs = {name: text.encode() if isinstance(text, str) else text for name, text in await starlette_reads(body)}
    assert value.keys() == theirs.keys() == {name for name, _ in python_reads(body)}
    for name, ours in value.items():
        content = theirs[name]
        if isinstance(ours, Upload):
            assert (ours["size"], ours["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        else:
            assert ours == content.decode()


PIECES = st.sampled_from(
    [
        b"--B\r\n", b"--B--", b"\r\n", b"\n", b"--B", b'Content-Disposition: form-data; name="a"', b"; filename=",
        b'"x"', b"\r\n\r\n", b"Content-Type: text/plain", b"value", b"\0", b"\xff",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=14).map(b"".join) | st.binary(max_size=80))
def test_any_bytes_are_a_value_or_one_refusal(body: bytes) -> None:
    try:
        value = read(body)
    except Refused as refused:
        assert refused.reason in (Reason.MULTIPART_MALFORMED, Reason.DUPLICATE_KEY)
        assert refused.fault is not None
        return
    assert value

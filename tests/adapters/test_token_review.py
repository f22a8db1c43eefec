"""Asking a cluster about a token: what is sent to its API server, and what comes of each way it can answer."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from aegis_authz.adapters.token_review import Cluster, HttpTokenReviews
from aegis_authz.ports.control_plane import ReviewUnavailable

AUDIENCE, TOKEN = "aegis", "aa.bb.cc"
USER = "system:serviceaccount:shop:agent"
GOOD = {"authenticated": True, "user": {"username": USER, "uid": "u"}, "audiences": [AUDIENCE]}


class ApiServer(ThreadingHTTPServer):
    """Answers every POST with a review of this status, in the shape of authentication.k8s.io/v1."""

    status: int
    headers: Mapping[str, str]
    review: Any
    requests: list[tuple[str, Mapping[str, str], Any]]


class Handler(BaseHTTPRequestHandler):
    server: ApiServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append((self.path, dict(self.headers), body))
        answer = self.server.review
        if isinstance(answer, dict) and "kind" not in answer:
            answer = {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "status": answer}
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
        except OSError:
            return

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def server() -> Iterator[ApiServer]:
    server = ApiServer(("127.0.0.1", 0), Handler)
    server.status, server.headers, server.review, server.requests = 201, {}, GOOD, []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def reviews(server: ApiServer, tmp_path: Path) -> AsyncIterator[HttpTokenReviews]:
    (tmp_path / "token").write_text("own-token\n", "utf-8")
    api = f"http://127.0.0.1:{server.server_address[1]}/"
    reviews = HttpTokenReviews({"production": Cluster(api, tmp_path / "token", None)})
    yield reviews
    await reviews.close()


async def test_the_cluster_is_asked_about_the_token_for_our_audience_under_our_own_token(
    server: ApiServer, reviews: HttpTokenReviews, tmp_path: Path
) -> None:
    assert await reviews.user("production", TOKEN, AUDIENCE) == USER
    [(path, headers, body)] = server.requests
    assert path == "/apis/authentication.k8s.io/v1/tokenreviews"
    assert headers["authorization"] == "Bearer own-token"
    assert (body["kind"], body["spec"]) == ("TokenReview", {"token": TOKEN, "audiences": [AUDIENCE]})
    (tmp_path / "token").write_text("renewed", "utf-8")
    await reviews.user("production", TOKEN, AUDIENCE)
    assert server.requests[1][1]["authorization"] == "Bearer renewed"


@pytest.mark.parametrize(
    "status",
    [
        {"authenticated": False, "error": "token expired"},
        {},
        {**GOOD, "authenticated": "true"},
        {**GOOD, "authenticated": 1},
        {**GOOD, "audiences": ["other"]},
        {**GOOD, "audiences": []},
        {**GOOD, "audiences": None},
        {name: value for name, value in GOOD.items() if name != "audiences"},
    ],
    ids=str,
)
async def test_a_token_that_is_not_good_there_for_our_audience_is_nobodys(
    server: ApiServer, reviews: HttpTokenReviews, status: dict[str, Any]
) -> None:
    server.review = status
    assert await reviews.user("production", TOKEN, AUDIENCE) == ""


@pytest.mark.parametrize(
    ("status", "review", "message"),
    [
        (302, GOOD, "HTTP 302"),
        (403, {"kind": "Status"}, "HTTP 403"),
        (500, b"", "HTTP 500"),
        (201, b"<html>", "not a TokenReview"),
        (201, {"kind": "Status", "status": GOOD}, "not a TokenReview"),
        (201, {"kind": "TokenReview"}, "not a TokenReview"),
        (201, {**GOOD, "user": {}}, "an authenticated token of nobody"),
        (201, {**GOOD, "user": "root"}, "an authenticated token of nobody"),
        (201, b"x" * 1_000_000, "more than 65536 bytes"),
    ],
)
async def test_whatever_else_it_answers_is_no_answer(
    server: ApiServer, reviews: HttpTokenReviews, status: int, review: Any, message: str
) -> None:
    server.status, server.review, server.headers = status, review, {"location": "/elsewhere"}
    with pytest.raises(ReviewUnavailable, match=message) as fault:
        await reviews.user("production", TOKEN, AUDIENCE)
    assert TOKEN not in str(fault.value)
    assert "own-token" not in str(fault.value)
    assert len(server.requests) == 1


async def test_a_cluster_that_no_setting_names_and_one_that_is_away_cannot_be_asked(
    reviews: HttpTokenReviews, tmp_path: Path
) -> None:
    with pytest.raises(ReviewUnavailable, match="no cluster staging"):
        await reviews.user("staging", TOKEN, AUDIENCE)
    away = HttpTokenReviews({"away": Cluster("http://127.0.0.1:9", tmp_path / "token", None)})
    with pytest.raises(ReviewUnavailable, match=r"http://127\.0\.0\.1:9/apis"):
        await away.user("away", TOKEN, AUDIENCE)
    await away.close()


@pytest.mark.parametrize("content", [b"", b"two words", b"a\nb", b"\xff"])
async def test_without_a_token_of_our_own_nobody_is_asked(
    server: ApiServer, reviews: HttpTokenReviews, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(ReviewUnavailable, match="holds no token"):
        await reviews.user("production", TOKEN, AUDIENCE)
    (tmp_path / "token").unlink()
    with pytest.raises(ReviewUnavailable, match="No such file"):
        await reviews.user("production", TOKEN, AUDIENCE)
    assert server.requests == []


def test_a_file_of_authorities_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing", "utf-8")
    with pytest.raises(OSError, match=r"ca\.pem: no certificate authorities"):
        HttpTokenReviews({"production": Cluster("https://api", tmp_path / "token", tmp_path / "ca.pem")})

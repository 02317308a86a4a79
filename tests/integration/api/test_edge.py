"""What stands before Django."""

import json
from importlib import import_module
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings

from api.headers import headers_of
from api.problems import problem

pytestmark = pytest.mark.django_db

PIECE = 100_000


class Sender:
    """Somebody who sends pieces of a body without end, and what they are answered."""

    def __init__(self, pieces: int) -> None:
        self.left = pieces
        self.taken = 0
        self.answers: list[Any] = []
        # No sooner: it looks at the database as it is loaded.
        self.application = import_module("stalkerr.asgi").application

    async def receive(self) -> dict[str, Any]:
        if self.left < 0:
            return {"type": "http.disconnect"}
        self.left -= 1
        self.taken += PIECE
        return {"type": "http.request", "body": b"x" * PIECE, "more_body": self.left >= 0}

    async def send(self, message: Any) -> None:
        self.answers.append(message)

    def post(self, path: str) -> int:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"testserver"), (b"content-type", b"text/plain")],
        }
        async_to_sync(self.application)(scope, self.receive, self.send)
        return int(self.answers[0]["status"])


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", b"text/plain; charset=utf-8"),
        ("/api/token", b"application/problem+json"),
        ("/static/x", b"text/plain; charset=utf-8"),
    ],
)
def test_of_an_endless_body_no_more_is_taken_than_may_be(path: str, content_type: bytes) -> None:
    sender = Sender(pieces=200)
    assert sender.post(path) == 413
    assert sender.taken <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE + PIECE
    assert len(sender.answers) == 2
    assert dict(sender.answers[0]["headers"])[b"content-type"] == content_type


def test_what_is_too_large_is_refused_as_all_else_is() -> None:
    """Problem details (RFC 9457), and the headers that every answer carries."""
    sender = Sender(pieces=200)
    assert sender.post("/api/token") == 413
    head, body = sender.answers
    told = {name.decode(): value.decode() for name, value in head["headers"]}
    assert json.loads(body["body"]) == problem(413, "This is too large.")
    assert told["content-type"] == "application/problem+json"
    assert int(told["content-length"]) == len(body["body"])
    expected = headers_of(path="/api/token", content_type=told["content-type"], is_secure=False)
    assert {name: told.get(name.lower()) for name in expected} == expected

from typing import Any

import pytest

from notifications.channels import registry
from tests.contract.channels import Harness, http_rows, send_to
from tests.news import BOOK
from tests.sinks import HttpSink, Reply

TOKEN = "AcanaryOfTheApp"
HOME = {"url": "https://gotify.example", "token": TOKEN}


def body_of(sink: HttpSink) -> Any:
    return sink.requests[-1].json()


def shown(sink: HttpSink) -> str:
    said = body_of(sink)
    assert said["extras"]["client::display"] == {"contentType": "text/plain"}, "no markdown"
    return f"{said['title']}\n{said['message']}"


def within_limits(sink: HttpSink) -> None:
    said = body_of(sink)
    assert 1 <= len(said["title"]) <= 400
    assert 1 <= len(said["message"]) <= 32_000


HARNESS = Harness(
    sink=HttpSink,
    config=lambda url: {"url": url, "token": TOKEN},
    rows=http_rows(410),
    bad_configs=(
        *({**HOME, "token": token} for token in ("", "x", "a b c d e f", "A\r\nX: yyyyy", None, 5)),
        *({**HOME, "url": url} for url in ("", "x", "http://127.0.0.1", None, 5)),
        {**HOME, "url": f"https://gotify.example/message?token={TOKEN}"},
        {**HOME, "more": "x"},
    ),
    shown=shown,
    within_limits=within_limits,
)


def test_a_message_has_its_link_beside_it_and_no_token_in_its_address() -> None:
    with HttpSink(Reply(200, body=b'{"id": 25, "appid": 5}')) as sink:
        outcome = send_to("gotify", HARNESS, sink)
        (request,) = sink.requests
    assert (request.method, request.path) == ("POST", "/message")
    assert request.headers["x-gotify-key"] == TOKEN
    said = request.json()
    assert said["title"] == "New: The Long Way"
    assert said["message"].startswith("A Novel\nSeries: Wayfarers, book 4\n")
    assert said["extras"]["client::notification"] == {"click": {"url": BOOK.url}}
    assert outcome.remote_id == "25"


@pytest.mark.parametrize("url", ["https://home.example/gotify", "https://home.example/gotify/"])
def test_a_server_may_have_a_path(url: str) -> None:
    channel = registry.get("gotify")
    config = channel.parse_config({"url": url, "token": TOKEN})
    assert config.url == "https://home.example/gotify"
    assert channel.destination(config) == "home.example"

from typing import Any

import pytest

from notifications.channels import registry
from notifications.messages import NOTICE, Content
from tests.contract.channels import WIRE_ID, Harness, http_rows, send_to
from tests.news import BOOK
from tests.sinks import HttpSink, Reply

CONFIG = {"topic": "canary-topic_1", "token": "tk_canary0123456789abcdefghij"}


def body_of(sink: HttpSink) -> Any:
    return sink.requests[-1].json()


def shown(sink: HttpSink) -> str:
    said = body_of(sink)
    names = {"topic", "sequence_id", "title", "message", "priority", "tags", "click", "icon"}
    assert said.keys() <= names, "no markdown, no actions"
    return f"{said['title']}\n{said['message']}"


def within_limits(sink: HttpSink) -> None:
    said = body_of(sink)
    assert 1 <= len(said["message"].encode()) <= 4096
    assert len(said["title"].encode()) <= 500
    assert len(sink.requests[-1].body) <= 2 * 4096, "the server reads no more of the JSON"


HARNESS = Harness(
    sink=HttpSink,
    config=lambda url: {**CONFIG, "url": url},
    rows=http_rows(410),
    bad_configs=(
        *({**CONFIG, "topic": topic} for topic in ("", "a b", "a/b", "x" * 65, "ä", None, 5)),
        *({**CONFIG, "token": token} for token in ("x", "tk_a b", "tk_canary\r\nX: y", 5)),
        *({**CONFIG, "url": url} for url in ("x", "http://127.0.0.1", "https://ntfy.sh/topic", 5)),
        {**CONFIG, "url": "https://ntfy.sh/?x=1"},
        {**CONFIG, "more": "x"},
    ),
    wire_ids=lambda sink: [request.json()["sequence_id"] for request in sink.requests],
    shown=shown,
    within_limits=within_limits,
)


def test_a_message_is_published_as_json_with_its_link_and_cover() -> None:
    with HttpSink(Reply(200, body=b'{"id": "hwQ2YpKdmg", "event": "message"}')) as sink:
        outcome = send_to("ntfy", HARNESS, sink)
        (request,) = sink.requests
    assert (request.method, request.path) == ("POST", "/")
    assert request.headers["authorization"] == f"Bearer {CONFIG['token']}"
    said = request.json()
    assert (said["topic"], said["sequence_id"]) == (CONFIG["topic"], WIRE_ID)
    assert (said["title"], said["click"]) == ("New: The Long Way", BOOK.url)
    assert said["icon"] == BOOK.cover_url
    assert said["message"].startswith("A Novel\n")
    assert outcome.remote_id == "hwQ2YpKdmg"


def test_an_open_topic_needs_no_token() -> None:
    with HttpSink() as sink:
        channel = registry.get("ntfy")
        assert channel.parse_config({"topic": "open"}).url == "https://ntfy.sh"
        harness = Harness(HttpSink, lambda url: {"topic": "open", "url": url}, (), ())
        outcome = send_to("ntfy", harness, sink)
        assert "authorization" not in sink.requests[0].headers
    assert outcome.detail == "200: ok", "nothing is masked where there is no secret"


def test_a_notice_without_a_text_says_its_subject() -> None:
    with HttpSink() as sink:
        send_to("ntfy", HARNESS, sink, Content(kind=NOTICE, title="Subject"))
        assert body_of(sink)["message"] == "Subject"


@pytest.mark.parametrize("url", ["https://ntfy.sh", "https://ntfy.sh/", "https://NTFY.sh"])
def test_its_destination_is_the_server(url: str) -> None:
    channel = registry.get("ntfy")
    config = channel.parse_config({"topic": "open", "url": url})
    assert channel.destination(config) == "ntfy.sh"
    assert list(channel.paces(config)) == ["ntfy.sh"]

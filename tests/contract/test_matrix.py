import json
from typing import Any
from urllib.parse import unquote

import pytest

from notifications.channels import registry
from notifications.channels.base import Verdict
from tests.contract.channels import WIRE_ID, Harness, Row, http_rows, replying, send_to, text_of
from tests.news import BOOK
from tests.sinks import HttpSink, Reply

ROOM = "!canary:home.example"
CONFIG = {"token": "syt_canary_0123456789", "room_id": ROOM}
HOME = {**CONFIG, "url": "https://home.example"}


def event_of(sink: HttpSink) -> Any:
    return sink.requests[-1].json()


def said(status: int, code: str, verdict: Verdict) -> Row:
    body = json.dumps({"errcode": code, "error": "words"}).encode()
    return Row(code, replying(status, body=body), verdict, status, refusal=True)


def shown(sink: HttpSink) -> str:
    event = event_of(sink)
    assert event["msgtype"] == "m.notice"
    assert event["m.mentions"] == {}, "or the text could call members of the room"
    page = text_of(event["formatted_body"], "p a b i br h4")
    assert "".join(page.split()) == "".join(event["body"].replace(BOOK.url, "").split())
    return page


def within_limits(sink: HttpSink) -> None:
    assert 1 <= len(sink.requests[-1].body) <= 60_000, "65,536 with what servers add"


HARNESS = Harness(
    sink=HttpSink,
    config=lambda url: {**CONFIG, "url": url},
    rows=(
        *http_rows(410),
        said(403, "M_USER_DEACTIVATED", Verdict.REFUSED),
        said(403, "M_FORBIDDEN", Verdict.NOT_ACCEPTED),
        said(401, "M_UNKNOWN_TOKEN", Verdict.NOT_ACCEPTED),
        said(413, "M_TOO_LARGE", Verdict.NOT_ACCEPTED),
    ),
    bad_configs=(
        *({**HOME, "token": token} for token in ("", "x", "a b c d e f", "a\r\nX: yyyy", None)),
        *({**HOME, "room_id": room} for room in ("", "#alias:home.example", "!", "!a/b", "!a b")),
        *({**HOME, "url": url} for url in ("", "x", "http://127.0.0.1", None, 5)),
        {**HOME, "url": "https://home.example/?x"},
        {**HOME, "more": "x"},
    ),
    wire_ids=lambda sink: [request.path.rpartition("/")[2] for request in sink.requests],
    shown=shown,
    within_limits=within_limits,
    wait_body=lambda seconds: json.dumps(
        {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": round(seconds * 1000, 3)}
    ).encode(),
)


def test_a_message_is_a_notice_under_its_own_id() -> None:
    with HttpSink(Reply(200, body=b'{"event_id": "$143273582443PhrSn:home.example"}')) as sink:
        outcome = send_to("matrix", HARNESS, sink)
        (request,) = sink.requests
    assert request.method == "PUT"
    room = f"/_matrix/client/v3/rooms/{ROOM}"
    assert unquote(request.path) == f"{room}/send/m.room.message/{WIRE_ID}"
    assert request.headers["authorization"] == f"Bearer {CONFIG['token']}"
    event = request.json()
    assert event["body"].startswith(f"New: The Long Way\n{BOOK.url}\nA Novel\n")
    start = f'<p><a href="{BOOK.url}"><b>New: The Long Way</b></a><br>A Novel<br>'
    assert event["formatted_body"].startswith(start)
    assert outcome.remote_id == "$143273582443PhrSn:home.example"


@pytest.mark.parametrize("room", [ROOM, "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", "!a?b#c%d"])
def test_a_room_of_any_name_is_one_part_of_the_path(room: str) -> None:
    with HttpSink() as sink:
        harness = Harness(HttpSink, lambda url: {**CONFIG, "room_id": room, "url": url}, (), ())
        send_to("matrix", harness, sink)
        parts = sink.requests[0].path.split("/")
    assert (len(parts), unquote(parts[5])) == (9, room)


@pytest.mark.parametrize("url", ["https://home.example/base", "https://home.example/base/"])
def test_a_homeserver_may_have_a_path(url: str) -> None:
    channel = registry.get("matrix")
    config = channel.parse_config({**CONFIG, "url": url})
    assert config.url == "https://home.example/base"
    assert channel.destination(config) == "home.example"

import json
from urllib.parse import parse_qs

import pytest

from notifications.channels import registry
from notifications.channels.base import Pace, Verdict
from tests.contract.channels import Harness, Row, http_rows, replying, send_to
from tests.news import BOOK
from tests.sinks import HttpSink, Reply

CONFIG = {"token": "aZ3canaryOfTheApplication00001", "user": "uQ7canaryOfTheUserOrGroup00002"}


def said(status: int, words: dict[str, object], verdict: Verdict) -> Row:
    body = json.dumps({"status": 0, "request": "r", **words}).encode()
    return Row(str(words), replying(status, body=body), verdict, status, refusal=True)


def form_of(sink: HttpSink) -> dict[str, str]:
    fields = parse_qs(sink.requests[-1].body.decode(), strict_parsing=True)
    assert all(len(values) == 1 for values in fields.values())
    return {name: value for name, (value,) in fields.items()}


def shown(sink: HttpSink) -> str:
    form = form_of(sink)
    assert form.keys() <= {*CONFIG, "priority", "title", "message", "url", "url_title"}, "no markup"
    return f"{form['title']}\n{form['message']}"


def within_limits(sink: HttpSink) -> None:
    form = form_of(sink)
    assert 1 <= len(form["title"]) <= 250
    assert 1 <= len(form["message"]) <= 1024
    assert len(form.get("url", "")) <= 512
    assert len(form.get("url_title", "")) <= 100


HARNESS = Harness(
    sink=HttpSink,
    config=lambda url: {**CONFIG, "url": url},
    rows=(
        *http_rows(410),
        said(400, {"user": "invalid", "errors": ["user identifier is invalid"]}, Verdict.REFUSED),
        said(400, {"token": "invalid", "errors": ["token is invalid"]}, Verdict.REFUSED),
        said(400, {"message": "cannot be blank"}, Verdict.NOT_ACCEPTED),
        Row(  # the month's messages are used up: a new month comes
            "quota",
            replying(429, body=b'{"token": "invalid", "errors": ["over the limit"]}'),
            Verdict.NOT_ACCEPTED,
            429,
            costs_try=False,
        ),
    ),
    bad_configs=(
        *({**CONFIG, "token": token} for token in ("", "x", "a" * 29, "a" * 31, "ä" * 30, None)),
        *({**CONFIG, "user": user} for user in ("", "x", "-" * 30, None, 5)),
        *({**CONFIG, "device": device} for device in ("a b", "x" * 26, "a,,b", 5)),
        *({**CONFIG, "priority": priority} for priority in ("2", "-3", "x", 1)),
        *({**CONFIG, "url": url} for url in ("x", "https://evil.example", "http://127.0.0.1")),
        {**CONFIG, "more": "x"},
    ),
    shown=shown,
    within_limits=within_limits,
)


def test_a_message_is_a_form_with_the_link_beside_it() -> None:
    with HttpSink(Reply(200, body=b'{"status": 1, "request": "647d2300"}')) as sink:
        outcome = send_to("pushover", HARNESS, sink)
        form = form_of(sink)
        (request,) = sink.requests
    assert (request.method, request.path) == ("POST", "/1/messages.json")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (form["token"], form["user"], form["priority"]) == (*CONFIG.values(), "0")
    assert (form["title"], form["url"]) == ("New: The Long Way", BOOK.url)
    assert form["message"].startswith("A Novel\nSeries: Wayfarers, book 4\n")
    assert outcome.remote_id == "647d2300"


def test_it_may_name_devices_and_a_priority() -> None:
    channel = registry.get("pushover")
    config = channel.parse_config({**CONFIG, "device": "phone,desk-1", "priority": "-1"})
    assert (config.device, config.priority) == ("phone,desk-1", "-1")
    assert channel.parse_config({**CONFIG, "device": " ", "priority": ""}).priority == "0"


@pytest.mark.parametrize("user", [CONFIG["user"], "u" * 30])
def test_all_users_share_one_pace(user: str) -> None:
    channel = registry.get("pushover")
    config = channel.parse_config({**CONFIG, "user": user})
    assert channel.paces(config) == {"api.pushover.net": Pace(2, 1)}
    assert user not in channel.destination(config)

import dataclasses
import json
import re

import pytest

from notifications.channels import registry
from notifications.channels.base import ConfigError, Pace, Verdict
from tests.contract.channels import Harness, Row, http_rows, replying, send_to, text_of, utf16
from tests.news import BOOK
from tests.sinks import HttpSink, Reply

TOKEN = "123456789:AAH-canary_of_the_bot_t0ken_000000"
CONFIG = {"token": TOKEN, "chat_id": "4242"}
GONE = (
    (403, "Forbidden: bot was blocked by the user"),
    (403, "Forbidden: bot was kicked from the supergroup chat"),
    (403, "Forbidden: user is deactivated"),
    (400, "Bad Request: chat not found"),
    (400, "Bad Request: group chat was upgraded to a supergroup chat"),
)
REFUSALS = (
    (401, "Unauthorized"),
    (403, "Forbidden: bot can't initiate conversation with a user"),
    (400, "Bad Request: message is too long"),
    (404, "Not Found"),
)


def said(status: int, description: str, verdict: Verdict) -> Row:
    body = json.dumps({"ok": False, "error_code": status, "description": description}).encode()
    return Row(description, replying(status, body=body), verdict, status, refusal=True)


def shown(sink: HttpSink) -> str:
    request = sink.requests[-1].json()
    assert request["parse_mode"] == "HTML"
    text = text_of(request["text"], "a b i")
    assert not re.search(r"@\w", text), "that could call a member of the chat"
    return text.replace("\u2060", "")


def within_limits(sink: HttpSink) -> None:
    text = text_of(re.sub(r' href="[^"]*"', "", sink.requests[-1].json()["text"]), "a b i")
    assert 1 <= utf16(text) <= 4096


HARNESS = Harness(
    sink=HttpSink,
    config=lambda url: {**CONFIG, "url": url},
    rows=(
        *http_rows(410),
        *(said(*each, Verdict.REFUSED) for each in GONE),
        *(said(*each, Verdict.NOT_ACCEPTED) for each in REFUSALS),
    ),
    bad_configs=(
        *({**CONFIG, "token": token} for token in ("", "x", "123:short", f"{TOKEN}/..", None, 5)),
        *({**CONFIG, "chat_id": chat} for chat in ("", "me", "@x", "1.5", "-", "4 2", None, 5)),
        *({**CONFIG, "url": url} for url in ("x", "https://evil.example", "http://127.0.0.1")),
        *({**CONFIG, "url": url} for url in ("http://api.telegram.org", "https://t.me", 5, None)),
        {**CONFIG, "url": "https://api.telegram.org.evil.example"},
        {**CONFIG, "url": "https://api.telegram.org/?x"},
        {**CONFIG, "more": "x"},
    ),
    shown=shown,
    within_limits=within_limits,
    wait_body=lambda seconds: json.dumps({"parameters": {"retry_after": seconds}}).encode(),
)


def test_a_message_is_a_page_for_its_chat() -> None:
    with HttpSink(Reply(200, body=b'{"ok": true, "result": {"message_id": 77}}')) as sink:
        outcome = send_to("telegram", HARNESS, sink)
        (request,) = sink.requests
    assert (request.method, request.path) == ("POST", f"/bot{TOKEN}/sendMessage")
    assert request.json()["chat_id"] == "4242"
    assert request.json()["text"].startswith(f'<a href="{BOOK.url}"><b>New: The Long Way</b></a>\n')
    assert request.json()["link_preview_options"]["url"] == BOOK.cover_url
    assert outcome.remote_id == "77"


@pytest.mark.parametrize("count", [1, 2])
def test_no_page_is_looked_up_that_a_title_names(count: int) -> None:
    content = dataclasses.replace(BOOK, title="https://evil.example/x", cover_url="")
    with HttpSink() as sink:
        send_to("telegram", HARNESS, sink, *[content] * count)
        assert sink.requests[0].json()["link_preview_options"] == {"is_disabled": True}


@pytest.mark.parametrize(
    ("chat_id", "by_the_minute"), [("4242", False), ("-1001234", True), ("@some_channel", True)]
)
def test_a_chat_a_group_and_the_bot_have_their_paces(chat_id: str, by_the_minute: bool) -> None:
    channel = registry.get("telegram")
    config = channel.parse_config({**CONFIG, "chat_id": chat_id})
    paces = channel.paces(config)
    assert paces.pop(f"123456789 {chat_id}") == Pace(1, 1)
    assert paces.pop("123456789") == Pace(30, 1)
    assert list(paces.values()) == [Pace(20, 60)] * by_the_minute


def test_what_is_wrong_with_a_token_does_not_show_it() -> None:
    """Proves the guard: the token is in the address, and in no word of ours."""
    with pytest.raises(ConfigError) as error:
        registry.get("telegram").parse_config({**CONFIG, "token": f"{TOKEN}?", "chat_id": "?"})
    assert TOKEN not in str(error.value)
    with HttpSink(Reply(404, body=f"no /bot{TOKEN}/sendMessage, {TOKEN[10:]}".encode())) as sink:
        outcome = send_to("telegram", HARNESS, sink)
    assert "canary" not in outcome.detail
    assert outcome.detail == "404: no /bot***/sendMessage, ***"

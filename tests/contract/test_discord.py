import datetime as dt

import pytest

from notifications.channels import registry
from tests.contract.channels import Harness, http_rows, send_to
from tests.news import BOOK
from tests.sinks import HttpSink, Reply

HARNESS = Harness(
    sink=HttpSink,
    config=lambda url: {"url": f"{url}/api/webhooks/123456/t0ken-of_the-hook"},
    rows=http_rows(404, 410),
    bad_configs=tuple(
        {"url": url}
        for url in (
            *("", "x", "https://discord.com/", "https://discord.com/api/webhooks/123", None),
            *("http://discord.com/api/webhooks/1/x", "https://evil.example/api/webhooks/1/x"),
            "https://discord.com.evil.example/api/webhooks/1/x",
            "https://evil.example/?https://discord.com/api/webhooks/1/x",
            "https://discord.com/api/webhooks/1/x/../../../y",
            "https://discord.com:22/api/webhooks/1/x",
            "https://127.0.0.1/api/webhooks/1/x",
        )
    ),
)


def test_it_waits_for_the_message_and_keeps_its_id() -> None:
    with HttpSink(Reply(200, body=b'{"id": "998877"}')) as sink:
        outcome = send_to("discord", HARNESS, sink, BOOK, BOOK)
        (request,) = sink.requests
    assert request.path == "/api/webhooks/123456/t0ken-of_the-hook?wait=true"
    assert outcome.remote_id == "998877"
    assert len(request.json()["embeds"]) == 2
    assert request.json()["allowed_mentions"] == {"parse": []}


@pytest.mark.parametrize(
    ("said", "header", "seconds"),
    [
        (b'{"retry_after": 0.35}', None, 0.35),
        (b'{"retry_after": 64.57, "global": true}', "65", 65),
        (b'{"retry_after": 1e9}', "1", 86400),
        (b'{"retry_after": -1}', "3", 3),
        (b'{"retry_after": NaN}', None, None),
        (b'{"retry_after": "x"}', None, None),
        (b"[1]", "3", 3),
        (b"\xff<html>", "3", 3),
        (b'{"retry_after": 1e999}', None, None),
        (b"[" * 60_000, "3", 3),
        (b"1" * 60_000, "3", 3),
    ],
)
def test_it_says_when_in_its_body(said: bytes, header: str | None, seconds: float | None) -> None:
    headers = {"Retry-After": header} if header else {}
    with HttpSink(Reply(429, body=said, headers=headers)) as sink:
        outcome = send_to("discord", HARNESS, sink)
    assert outcome.retry_after == (None if seconds is None else dt.timedelta(seconds=seconds))
    assert not outcome.costs_try


@pytest.mark.parametrize("host", ["discord.com", "discordapp.com", "canary.discord.com"])
def test_it_is_known_by_its_hosts(host: str) -> None:
    channel = registry.get("discord")
    config = channel.parse_config({"url": f"https://{host}/api/v10/webhooks/123456/abc"})
    assert channel.destination(config) == "123456"

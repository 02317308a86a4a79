import json
import re
from typing import Any

import pytest

from notifications.channels import registry
from tests.contract.channels import Harness, http_rows, send_to, utf16
from tests.news import BOOK
from tests.sinks import HttpSink, Reply


def body_of(sink: HttpSink) -> Any:
    return sink.requests[-1].json()


def shown(sink: HttpSink) -> str:
    said = body_of(sink)
    assert said["allowed_mentions"] == {"parse": []}
    texts = [said["content"]]
    for embed in said["embeds"]:
        texts += [embed["title"], embed["description"], embed.get("footer", {}).get("text", "")]
    marked = "\n".join(texts)
    assert not re.search(r"(?<!\\)(\\\\)*[*_~`|<>\[\]]", marked), "that would be markup"
    return re.sub(r"\\([^a-zA-Z0-9\s])", r"\1", marked)


def within_limits(sink: HttpSink) -> None:
    said, total = body_of(sink), 0
    assert utf16(said["content"]) <= 2000
    assert 1 <= len(said["embeds"]) <= 10
    for embed in said["embeds"]:
        footer = embed.get("footer", {}).get("text", "")
        assert 0 < utf16(embed["title"]) <= 256
        assert utf16(embed["description"]) <= 4096
        assert utf16(footer) <= 2048
        total += utf16(embed["title"] + embed["description"] + footer)
    assert total <= 6000


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
    shown=shown,
    within_limits=within_limits,
    wait_body=lambda seconds: json.dumps({"retry_after": seconds}).encode(),
)


def test_it_waits_for_the_message_and_keeps_its_id() -> None:
    with HttpSink(Reply(200, body=b'{"id": "998877"}')) as sink:
        outcome = send_to("discord", HARNESS, sink, BOOK, BOOK)
        (request,) = sink.requests
    assert request.path == "/api/webhooks/123456/t0ken-of_the-hook?wait=true"
    assert outcome.remote_id == "998877"
    assert len(request.json()["embeds"]) == 2
    assert request.json()["allowed_mentions"] == {"parse": []}


@pytest.mark.parametrize("host", ["discord.com", "discordapp.com", "canary.discord.com"])
def test_it_is_known_by_its_hosts(host: str) -> None:
    channel = registry.get("discord")
    config = channel.parse_config({"url": f"https://{host}/api/v10/webhooks/123456/abc"})
    assert channel.destination(config) == "123456"

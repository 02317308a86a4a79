import base64
import dataclasses
import datetime as dt

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from notifications.channels import registry
from notifications.channels.base import ConfigError
from notifications.channels.webhook import new_secret
from notifications.messages import NOTICE, Content
from tests.contract.channels import Harness, envelope_of, http_rows, send, send_to
from tests.hostile import BAD_URLS, PRIVATE_URLS
from tests.news import BOOK
from tests.sinks import HttpSink

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
URL = "https://receiver.example/"
BAD_SECRETS = (
    *("", "x", SECRET.removeprefix("whsec_"), "whsec_", "whsec_ä", SECRET + "!"),
    *("whsec_" + base64.b64encode(b"x" * size).decode() for size in (5, 23, 65)),
)
HARNESS = Harness(
    sink=HttpSink,
    config=lambda url: {"url": f"{url}/hook?key=1", "secret": SECRET},
    rows=http_rows(410),
    bad_configs=(
        *({"url": url, "secret": SECRET} for url in (None, 5, *PRIVATE_URLS)),
        *({"url": url, "secret": SECRET} for url in BAD_URLS if not url.startswith(" ")),
        *({"url": URL, "secret": secret} for secret in BAD_SECRETS),
        {"url": URL, "secret": SECRET, "more": "x"},
    ),
    shown=lambda sink: sink.requests[-1].json()["data"]["headline"],
    wire_ids=lambda sink: [request.headers["webhook-id"] for request in sink.requests],
)


def sent(content: Content = BOOK, now: dt.datetime | None = None) -> tuple[bytes, dict[str, str]]:
    """Body and headers as received."""
    channel = registry.get("webhook")
    with HttpSink() as sink:
        config = channel.parse_config(HARNESS.config(sink.url))
        send(channel, envelope_of(content), config, now)
        (request,) = sink.requests
    assert (request.method, request.path) == ("POST", "/hook?key=1")
    return request.body, request.headers


def test_it_is_signed_as_the_standard_says() -> None:
    body, headers = sent()
    said = Webhook(SECRET).verify(body, headers)
    assert headers["content-type"] == "application/json"
    assert (said["type"], said["version"]) == ("release.announced", 1)
    assert said["timestamp"] == "2026-05-01T12:00:00+00:00"
    assert said["data"]["audiobook"]["release_date"] == "2027-06-09"
    assert said["data"]["audiobook"]["authors"] == ["A. Writer", "B. Writer"]


def test_a_notice_is_signed_too() -> None:
    body, headers = sent(Content(kind=NOTICE, title="Subject", summary="Text"))
    said = Webhook(SECRET).verify(body, headers)
    assert (said["type"], said["data"]["text"]) == ("notice", "Text")


@pytest.mark.parametrize("part", ["webhook-id", "webhook-timestamp", "body"])
def test_one_changed_bit_breaks_the_signature(part: str) -> None:
    body, headers = sent()
    whole = {"body": body, **{name: text.encode() for name, text in headers.items()}}
    for position in range(len(whole[part])):
        forged = bytearray(whole[part])
        forged[position] ^= 1
        parts = {**whole, part: bytes(forged)}
        others = {name: value.decode() for name, value in parts.items() if name != "body"}
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(parts["body"], others, json_parse=False)


@pytest.mark.parametrize("seconds", [-302, 302])
def test_an_old_or_early_signature_is_worth_nothing(seconds: int) -> None:
    body, headers = sent(now=dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds))
    with pytest.raises(WebhookVerificationError, match="too"):
        Webhook(SECRET).verify(body, headers)


def test_another_secret_does_not_open_it() -> None:
    body, headers = sent()
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers)


def test_an_attempt_is_signed_at_its_own_moment() -> None:
    now = dt.datetime.now(dt.UTC)
    moments = [sent(now=now + dt.timedelta(seconds=n))[1]["webhook-timestamp"] for n in (0, 60)]
    assert int(moments[1]) - int(moments[0]) == 60


def test_it_gets_a_fresh_secret_where_its_owner_gives_none() -> None:
    channel = registry.get("webhook")
    first, second = (channel.completed({"url": URL}) for _ in range(2))
    assert first["secret"] != second["secret"]
    channel.parse_config(first)
    assert channel.completed({"url": URL, "secret": SECRET})["secret"] == SECRET
    with pytest.raises(ConfigError):  # not another one that nobody would be shown
        channel.parse_config(channel.completed({"url": URL, "secret": ""}))


@pytest.mark.parametrize("character", ["🎧", "漢", '"', "\\", "a"])
def test_the_largest_is_below_20_kb(character: str) -> None:
    long, url = character * 10_000, "https://x.example/" + "a" * 480
    fields = ("title", "subtitle", "series", "language", "summary", "why", "marketplace", "asin")
    body, _ = sent(
        dataclasses.replace(
            BOOK,
            **dict.fromkeys(fields, long),  # type: ignore[arg-type]
            **dict.fromkeys(("authors", "narrators"), (long,) * 100),  # type: ignore[arg-type]
            **dict.fromkeys(("url", "cover_url"), url),  # type: ignore[arg-type]
        )
    )
    assert len(body) < 20_000


def test_its_destination_is_the_host() -> None:
    channel = registry.get("webhook")
    config = channel.parse_config({"url": "https://Receiver.example:8443/x?y", "secret": SECRET})
    assert channel.destination(config) == "receiver.example"
    with HttpSink() as sink:
        assert send_to("webhook", HARNESS, sink).status == 200

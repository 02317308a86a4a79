import base64
import dataclasses
import datetime as dt
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_django import Settings

from notifications.channels import registry
from notifications.channels.base import Verdict
from notifications.channels.web_push import PLAIN_MAX, application_server_key
from notifications.messages import Content
from tests.contract.channels import (
    WIRE_ID,
    Harness,
    Row,
    envelope_of,
    http_rows,
    replying,
    send,
    send_to,
)
from tests.news import BOOK
from tests.sinks import HttpSink, Request

BROWSER = ec.generate_private_key(ec.SECP256R1())
AUTH = b"sixteen bytes !!"
BODY_MAX = 4096  # bytes, that every push service takes


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


KEYS = {"p256dh": base64url(point(BROWSER.public_key())), "auth": base64url(AUTH)}
ENDPOINT = "https://push.example/send/s3cret-of-this-browser"


def opened(request: Request) -> dict[str, Any]:
    """What the browser reads in it, by RFC 8291 and 8188 alone: no code of the sender's takes part."""
    salt, size, rest = request.body[:16], request.body[20], request.body[21:]
    sender, sealed = rest[:size], rest[size:]
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
    shared = BROWSER.exchange(ec.ECDH(), theirs)
    both = point(BROWSER.public_key()) + sender
    secret = derived(AUTH, b"WebPush: info\0" + both, 32, shared)
    key = derived(salt, b"Content-Encoding: aes128gcm\0", 16, secret)
    nonce = derived(salt, b"Content-Encoding: nonce\0", 12, secret)
    padded = AESGCM(key).decrypt(nonce, sealed, None)
    assert padded.rstrip(b"\0").endswith(b"\2"), "the one and last record"
    fields: dict[str, Any] = json.loads(padded.rstrip(b"\0")[:-1])
    return fields


def derived(salt: bytes, info: bytes, length: int, secret: bytes) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


HARNESS = Harness(
    sink=HttpSink,
    config=lambda url: {"endpoint": f"{url}/send/s3cret-of-this-browser", **KEYS},
    rows=(*http_rows(404, 410), Row("413", replying(413), Verdict.NOT_ACCEPTED, 413)),
    bad_configs=(
        {"endpoint": ENDPOINT},
        {"endpoint": ENDPOINT, **KEYS, "more": "x"},
        *(
            {**KEYS, "endpoint": endpoint}
            for endpoint in (
                *("", "x", "http://push.example/x", "https://127.0.0.1/x", "https://[2606::1]/"),
                *("https://push.example:22/x", "https://a:b@push.example/", None),
            )
        ),
        *(
            {"endpoint": ENDPOINT, **KEYS, "p256dh": key}
            for key in (
                *("", "x", "A" * 87, base64url(b"\4" + b"\1" * 64), KEYS["p256dh"][:-2], None),
                KEYS["p256dh"].replace("A", "+", 1) + "+",
                base64url(
                    BROWSER.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
                ),
            )
        ),
        *(
            {"endpoint": ENDPOINT, **KEYS, "auth": auth}
            for auth in ("", "AAAA", "A" * 23, "é" * 22, 5)
        ),
    ),
    wire_ids=lambda sink: [opened(request)["tag"] for request in sink.requests],
)


def received(*contents: Content) -> Request:
    with HttpSink() as sink:
        assert send_to("web_push", HARNESS, sink, *contents).verdict is Verdict.ACCEPTED
        (request,) = sink.requests
    return request


def test_only_the_browser_can_read_it() -> None:
    request = received(BOOK)
    assert b"The Long Way" not in request.body
    assert opened(request) == {
        "title": "New: The Long Way",
        "body": "A Novel\nSeries: Wayfarers, book 4\nBy: A. Writer, B. Writer\n"
        "Narrated by: C. Voice\nRelease date: 9 June 2027\nLength: 12 h 5 min\n"
        "Language: English\nStore: Audible UK\nFirst.\nSecond.\n"
        "You hear of it because of: author A. Writer",
        "url": BOOK.url,
        "icon": BOOK.cover_url,
        "tag": WIRE_ID,
    }


def test_every_copy_is_sealed_anew() -> None:
    first, second = received(BOOK), received(BOOK)
    assert first.body[:16] != second.body[:16], "the salt"
    assert first.body[21:86] != second.body[21:86], "the sender's key"


def test_several_pieces_of_news_are_named_in_one(settings: Settings) -> None:
    fields = opened(received(BOOK, BOOK, BOOK))
    assert fields["title"] == "New: The Long Way and 2 more"
    assert fields["body"] == "\n".join(["New: The Long Way"] * 3)
    assert fields["url"] == settings.PUBLIC_URL


def test_a_second_copy_takes_the_place_of_the_first_at_the_push_service_too() -> None:
    """Proves the guard Topic: one that waits for a browser is replaced, not joined."""
    topics = {received(BOOK).headers["topic"] for _ in range(2)}
    (topic,) = topics
    assert len(topic) <= 32
    assert topic.isalnum()


def test_it_says_how_long_it_is_worth_something() -> None:
    headers = received(BOOK).headers
    assert (headers["ttl"], headers["urgency"]) == ("86400", "normal")
    assert headers["content-encoding"] == "aes128gcm"


def test_it_is_signed_for_this_push_service_and_for_a_while() -> None:
    now = dt.datetime.now(dt.UTC)
    with HttpSink() as sink:
        send_to("web_push", HARNESS, sink)
        (request,) = sink.requests
    scheme, _, values = request.headers["authorization"].partition(" ")
    parts = dict(part.split("=", 1) for part in values.split(","))
    assert (scheme, parts["k"]) == ("vapid", application_server_key())
    raw = base64.urlsafe_b64decode(parts["k"] + "=")
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    claims = jwt.decode(parts["t"], public, algorithms=["ES256"], audience=sink.url)
    assert claims["aud"] == sink.url, "the origin alone: a path would tell which browser"
    assert claims["sub"] == "mailto:stalkerr@localhost"
    left = dt.datetime.fromtimestamp(claims["exp"], dt.UTC) - now
    assert dt.timedelta(hours=1) < left <= dt.timedelta(hours=24)


def test_pywebpush_sends_nothing_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves the guard that all leaves through `ask`: a redirect and a proxy tempt in vain."""
    with HttpSink() as canary, HttpSink() as sink:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, canary.url)
        monkeypatch.delenv("no_proxy", raising=False)
        replying(307, headers={"Location": canary.url})(sink)
        outcome = send_to("web_push", HARNESS, sink)
        assert (len(sink.requests), canary.connections) == (1, 0)
    assert (outcome.verdict, outcome.status) == (Verdict.NOT_ACCEPTED, 307)


@pytest.mark.parametrize("character", ["🎧", "漢", '"', "\\", "a"])
@pytest.mark.parametrize("copies", [1, 5])
def test_the_largest_fits(character: str, copies: int) -> None:
    long, url = character * 10_000, "https://x.example/" + "a" * 480
    fields = ("title", "subtitle", "series", "language", "summary", "why", "marketplace", "asin")
    content = dataclasses.replace(
        BOOK,
        **dict.fromkeys(fields, long),  # type: ignore[arg-type]
        **dict.fromkeys(("authors", "narrators"), (long,) * 100),  # type: ignore[arg-type]
        **dict.fromkeys(("url", "cover_url"), url),  # type: ignore[arg-type]
    )
    request = received(*[content] * copies)
    assert len(request.body) <= BODY_MAX
    fields_read = opened(request)
    assert fields_read["body"].endswith("…")
    assert len(json.dumps(fields_read, ensure_ascii=False).encode()) > PLAIN_MAX // 3


def test_without_a_key_there_is_no_web_push(settings: Settings) -> None:
    settings.VAPID_KEY = ""
    with HttpSink() as sink:
        outcome = send_to("web_push", HARNESS, sink)
        assert sink.requests == []
    assert (outcome.verdict, outcome.refusal) == (Verdict.NOT_ACCEPTED, False)
    assert outcome.detail == "This server has no VAPID_KEY."
    assert application_server_key() == ""


def test_padded_keys_are_keys() -> None:
    channel = registry.get("web_push")
    padded = {name: f"{key}=" for name, key in KEYS.items()}
    assert channel.parse_config({"endpoint": ENDPOINT, **padded}) == channel.parse_config(
        {"endpoint": ENDPOINT, **KEYS}
    )


def test_its_destination_is_one_browser() -> None:
    channel = registry.get("web_push")
    one, other = (
        channel.destination(channel.parse_config({"endpoint": ENDPOINT + end, **KEYS}))
        for end in ("", "2")
    )
    assert one != other
    assert one.startswith("push.example#")
    with HttpSink() as sink:
        config = channel.parse_config(HARNESS.config(sink.url))
        assert send(channel, envelope_of(), config).status == 200

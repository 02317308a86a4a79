import base64
import dataclasses
import datetime as dt
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from catalog.models import ReleaseEvent
from notifications.channels import registry
from notifications.channels.base import ConfigError
from notifications.channels.webhook import Config, body_of, new_secret, rotated
from notifications.messages import BOOK as POSTED
from notifications.messages import NOTICE, REMINDER, Content
from stalkerr.processes import ROOT
from tests.contract.channels import Harness, envelope_of, http_rows, send, send_to
from tests.hostile import BAD_URLS, PRIVATE_URLS, TEXTS
from tests.news import BOOK
from tests.sinks import HttpSink

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"fedcba9876543210fedcba9876543210").decode()
LONG_AGO, AT_LAST = "2020-01-01T00:00:00+00:00", "9999-01-01T00:00:00+00:00"
URL = "https://receiver.example/"
BAD_SECRETS = (
    *("", "x", SECRET.removeprefix("whsec_"), "whsec_", "whsec_ä", SECRET + "!"),
    *("whsec_" + base64.b64encode(b"x" * size).decode() for size in (5, 23, 65)),
)
HARNESS = Harness(
    sink=HttpSink,
    config=lambda url: {
        "url": f"{url}/hook?key=1",
        "secret": SECRET,
        "old_secret": OLD_SECRET,
        "old_secret_until": LONG_AGO,
    },
    rows=http_rows(410),
    bad_configs=(
        *({"url": url, "secret": SECRET} for url in (None, 5, *PRIVATE_URLS)),
        *({"url": url, "secret": SECRET} for url in BAD_URLS if not url.startswith(" ")),
        *({"url": URL, "secret": secret} for secret in BAD_SECRETS),
        {"url": URL, "secret": SECRET, "more": "x"},
        {"url": URL, "secret": SECRET, "old_secret": OLD_SECRET},
        {"url": URL, "secret": SECRET, "old_secret_until": AT_LAST},
        *(
            {"url": URL, "secret": SECRET, "old_secret": secret, "old_secret_until": AT_LAST}
            for secret in (5, *BAD_SECRETS[1:])
        ),
        *(
            {"url": URL, "secret": SECRET, "old_secret": OLD_SECRET, "old_secret_until": moment}
            for moment in ("soon", "2027-06-09T12:00:00", "2027-13-01T00:00:00Z", 5, True, [1])
        ),
    ),
    shown=lambda sink: sink.requests[-1].json()["data"]["headline"],
    wire_ids=lambda sink: [request.headers["webhook-id"] for request in sink.requests],
)


def sent(
    content: Content = BOOK, now: dt.datetime | None = None, **changes: str
) -> tuple[bytes, dict[str, str]]:
    """Body and headers as received; `changes` are to the configuration."""
    channel = registry.get("webhook")
    with HttpSink() as sink:
        config = channel.parse_config(HARNESS.config(sink.url) | changes)
        send(channel, envelope_of(content), config, now)
        (request,) = sink.requests
    assert (request.method, request.path) == ("POST", "/hook?key=1")
    return request.body, request.headers


def is_taken(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    """Whether the library of the standard takes it with this secret alone."""
    try:
        Webhook(secret).verify(body, headers, json_parse=False)
    except WebhookVerificationError:
        return False
    return True


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
def test_one_changed_bit_breaks_every_signature(part: str) -> None:
    body, headers = sent(old_secret_until=AT_LAST)
    assert is_taken(SECRET, body, headers)
    assert is_taken(OLD_SECRET, body, headers)
    whole = {"body": body, **{name: text.encode() for name, text in headers.items()}}
    for position in range(len(whole[part])):
        forged = bytearray(whole[part])
        forged[position] ^= 1
        parts = {**whole, part: bytes(forged)}
        others = {name: value.decode() for name, value in parts.items() if name != "body"}
        assert not is_taken(SECRET, parts["body"], others)
        assert not is_taken(OLD_SECRET, parts["body"], others)


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
@pytest.mark.parametrize("seconds", [-302, 302])
def test_an_old_or_early_signature_is_worth_nothing(seconds: int, secret: str) -> None:
    now = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    body, headers = sent(now=now, old_secret_until=AT_LAST)
    with pytest.raises(WebhookVerificationError, match="too"):
        Webhook(secret).verify(body, headers)


@pytest.mark.parametrize(
    ("after", "is_old_taken"),
    [
        (dt.timedelta(0), True),
        (dt.timedelta(hours=24) - dt.timedelta(microseconds=1), True),
        (dt.timedelta(hours=24), False),
        (dt.timedelta(days=400), False),
    ],
)
def test_a_changed_secret_leaves_a_day_for_the_old_one(
    after: dt.timedelta, is_old_taken: bool
) -> None:
    """Proves the guard of the day's end: beyond it the old secret signs nothing."""
    now = dt.datetime.now(dt.UTC)
    config = rotated(Config(url=URL, secret=OLD_SECRET), now - after)
    changes = {name: text for name, text in dataclasses.asdict(config).items() if name != "url"}
    body, headers = sent(now=now, **changes)
    assert is_taken(config.secret, body, headers)
    assert is_taken(OLD_SECRET, body, headers) is is_old_taken
    assert len(headers["webhook-signature"].split(" ")) == 1 + is_old_taken


def test_a_changed_secret_is_a_fresh_one_and_the_rest_stays() -> None:
    now = dt.datetime.now(dt.UTC)
    first = Config(url=URL, secret=SECRET)
    second = rotated(first, now)
    third = rotated(second, now)
    assert len({first.secret, second.secret, third.secret}) == 3
    assert (second.url, second.old_secret) == (URL, SECRET)
    assert third.old_secret == second.secret, "the last two sign, and no third"
    stored = json.loads(json.dumps(dataclasses.asdict(third)))
    assert registry.get("webhook").parse_config(stored) == third


def test_a_secret_that_never_changed_has_no_other_beside_it() -> None:
    given = {"url": URL, "secret": SECRET, "old_secret": "", "old_secret_until": ""}
    assert registry.get("webhook").parse_config(given) == Config(url=URL, secret=SECRET)


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


# -- what is published of the body -------------------------------------------------------------

SCHEMA = json.loads((ROOT / "docs" / "reference" / "webhook-v1.schema.json").read_text())
KINDS = (*ReleaseEvent.Kind.values, REMINDER, POSTED, NOTICE)


def closed(schema: Any) -> Any:
    """The schema, in which a field that it does not name is an error. The published one lets it
    pass: receivers must, since fields may be added to a version.
    """
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(each) for name, each in schema.items()}
    return inner | {"additionalProperties": False} if "required" in schema else inner


VALIDATOR = Draft202012Validator(closed(SCHEMA), format_checker=FormatChecker())


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    said = set(SCHEMA["properties"]["type"]["enum"])
    assert said == {body_of(of_kind(kind), dt.datetime.now(dt.UTC))["type"] for kind in KINDS}


def of_kind(kind: str, **changes: Any) -> Content:
    return dataclasses.replace(BOOK, kind=kind, **changes)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_sent_is_what_the_schema_says(kind: str) -> None:
    body, _ = sent(of_kind(kind, event_id=7, old_date=BOOK.release_date, days_before=0))
    VALIDATOR.validate(json.loads(body))
    body, _ = sent(Content(kind=kind, title=""))
    VALIDATOR.validate(json.loads(body))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_what_is_hostile_is_still_what_the_schema_says(kind: str, number: int) -> None:
    text = TEXTS[number]
    fields = ("title", "subtitle", "series", "summary", "why", "language", "url", "cover_url")
    ids = ("marketplace", "asin", "own_headline")
    content = of_kind(
        kind,
        **dict.fromkeys((*fields, *ids), text),
        **dict.fromkeys(("authors", "narrators"), (text,) * 20),
    )
    body = json.dumps(body_of(content, dt.datetime.now(dt.UTC)), ensure_ascii=False).encode()
    VALIDATOR.validate(json.loads(body))


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_that_the_schema_does_not_name_is_seen(kind: str) -> None:
    """Proves the guard of this very test: every object of every body is closed, and complete."""
    for path in ((), ("data",), ("data", "audiobook")):
        body = json.loads(json.dumps(body_of(of_kind(kind), dt.datetime.now(dt.UTC))))
        place = body
        for name in path:
            place = place.get(name, {})
        if not place:
            continue
        place["more"] = 1
        assert not VALIDATOR.is_valid(body)
        assert Draft202012Validator(SCHEMA).is_valid(body), "receivers let it pass"
        del place["more"]
        del place[next(iter(place))]
        with pytest.raises(ValidationError):
            VALIDATOR.validate(body)


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

"""What every channel must do, over real sinks. A new kind brings test_<kind>.py with a HARNESS."""

import asyncio
import dataclasses
import datetime as dt
import importlib
import json
from collections.abc import Callable
from email.utils import format_datetime

import pytest
from pytest_django import Settings

from notifications.channels import registry
from notifications.channels.base import ConfigError, Verdict
from notifications.messages import NOTICE, Content, one_line
from notifications.retry import Facts, decide
from tests.contract.channels import WIRE_ID, Harness, Row, Sink, envelope_of, send, send_to
from tests.hostile import TEXTS
from tests.news import BOOK
from tests.sinks import HttpSink, RawSink, Reply

NOT_ACCEPTED = Verdict.NOT_ACCEPTED
NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
UNHEADED_KINDS = ("webhook",)  # it has no place for one
KINDS = sorted(registry.CHANNELS)
HARNESSES: dict[str, Harness] = {
    kind: importlib.import_module(f"tests.contract.test_{kind}").HARNESS for kind in KINDS
}
HTTP_KINDS = [kind for kind in KINDS if HARNESSES[kind].sink is HttpSink]
ROWS = [
    pytest.param(kind, row, id=f"{kind}-{row.name}")
    for kind in KINDS
    for row in HARNESSES[kind].rows
]

SHOWING_KINDS = [kind for kind in KINDS if HARNESSES[kind].shown]
LIMITED_KINDS = [kind for kind in KINDS if HARNESSES[kind].within_limits]
WAITING_KINDS = [kind for kind in KINDS if HARNESSES[kind].wait_body]
MARKUP = (
    "@everyone @here @somebody <@&1> <!channel> <@U123ABC> <#C1|x> <https://evil.example|x>",
    "[x](javascript:alert(1)) **b** __u__ ~~s~~ ||s|| `c` ```c``` *b* _i_ ~s~",
    '<b>b</b> <a href="javascript:alert(1)">x</a> </p><script>alert(1)</script> <!-- x',
    "&amp; &lt;b&gt; \" ' &#64; \\ \\* /start #tag",
    "# heading > quote - list 1. list",
)

PointTo = Callable[[Sink], None]


@pytest.mark.parametrize("kind", KINDS)
def test_it_tells_of_itself(kind: str) -> None:
    channel = registry.get(kind)
    assert channel.kind == kind
    assert channel.label
    assert channel.groups >= 1
    assert channel.idempotent is (HARNESSES[kind].wire_ids is not None)


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_it_judges_every_situation(kind: str, row: Row, point_to: PointTo) -> None:
    with HARNESSES[kind].sink() as sink:
        point_to(sink)
        row.arrange(sink)
        outcome = send_to(kind, HARNESSES[kind], sink)
    assert (outcome.verdict, outcome.status) == (row.verdict, row.status)
    assert (outcome.costs_try, outcome.refusal) == (row.costs_try, row.refusal)
    assert outcome.verdict is Verdict.ACCEPTED or outcome.detail, "the owner wants to know why"


@pytest.mark.parametrize("kind", KINDS)
def test_its_rows_hold_the_main_situations(kind: str) -> None:
    assert {row.verdict for row in HARNESSES[kind].rows} == set(Verdict)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_listens(kind: str, point_to: PointTo) -> None:
    with HARNESSES[kind].sink() as sink:
        point_to(sink)
    outcome = send_to(kind, HARNESSES[kind], sink)
    assert (outcome.verdict, outcome.refusal) == (Verdict.NOT_ACCEPTED, False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("point_to")
def test_time_runs_out_before_the_first_byte(kind: str, settings: Settings) -> None:
    channel = registry.get(kind)
    with RawSink() as silent:
        settings.SMTP_URL = f"smtps://127.0.0.1:{silent.port}"
        settings.APPRISE_DETOUR = ("127.0.0.1", silent.port, "")
        config = HARNESSES[kind].config(f"https://127.0.0.1:{silent.port}")
        outcome = send(channel, envelope_of(), channel.parse_config(config))
    assert (outcome.verdict, outcome.refusal) == (Verdict.NOT_ACCEPTED, False)


@pytest.mark.parametrize("kind", KINDS)
def test_every_bad_config_gets_a_sentence_per_field(kind: str, settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = []
    for data in ({}, *HARNESSES[kind].bad_configs):
        with pytest.raises(ConfigError) as error:
            registry.get(kind).parse_config(data)
        assert error.value.errors
        assert all(words.endswith(".") for words in error.value.errors.values()), data


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_reads_back_the_same(kind: str) -> None:
    channel = registry.get(kind)
    given = HARNESSES[kind].config("http://127.0.0.1:1")
    config = channel.parse_config(channel.completed(given))
    stored = json.loads(json.dumps(dataclasses.asdict(config)))
    assert channel.parse_config(stored) == config
    assert channel.secret_fields <= stored.keys()
    assert channel.fields.keys() == stored.keys()
    assert all(channel.fields.values())
    destination = channel.destination(config)
    assert destination
    assert not any(stored[name] in destination for name in channel.secret_fields)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_hostile_text_arrives(kind: str, number: int, point_to: PointTo) -> None:
    text = TEXTS[number]
    fields = ("title", "subtitle", "series", "summary", "why", "language", "url", "cover_url")
    content = dataclasses.replace(
        BOOK,
        **dict.fromkeys(fields, text),  # type: ignore[arg-type]
        **dict.fromkeys(("authors", "narrators"), (text,) * 20),  # type: ignore[arg-type]
    )
    with HARNESSES[kind].sink() as sink:
        point_to(sink)
        contents = [content] * min(registry.get(kind).groups, 3)
        outcome = send_to(kind, HARNESSES[kind], sink, *contents)
    assert outcome.verdict is Verdict.ACCEPTED, outcome


@pytest.mark.parametrize("kind", SHOWING_KINDS)
@pytest.mark.parametrize("text", MARKUP)
def test_markup_from_a_store_is_only_text(kind: str, text: str, point_to: PointTo) -> None:
    """Proves the guard: what each kind escapes."""
    channel, shown = registry.get(kind), HARNESSES[kind].shown
    assert shown
    people = (text, text)
    content = dataclasses.replace(
        BOOK, title=text, subtitle=text, series=text, authors=people, summary=text, why=text
    )
    with HARNESSES[kind].sink() as sink:
        point_to(sink)
        send_to(kind, HARNESSES[kind], sink, content)
        assert f"New: {text}" in shown(sink)
        for contents in ([content], [content] * channel.groups):
            send_to(kind, HARNESSES[kind], sink, *contents, heading=text)
            shown(sink)


@pytest.mark.parametrize("kind", LIMITED_KINDS)
@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_what_arrives_is_within_the_providers_limits(
    kind: str, number: int, point_to: PointTo
) -> None:
    """Proves the guard: every length and count that a kind keeps."""
    text, within_limits = TEXTS[number], HARNESSES[kind].within_limits
    assert within_limits
    link = "https://store.example/" + "&" * 470
    fields = ("title", "subtitle", "series", "summary", "why", "language")
    content = dataclasses.replace(
        BOOK,
        **dict.fromkeys(fields, text),  # type: ignore[arg-type]
        **dict.fromkeys(("authors", "narrators"), (text,) * 20),  # type: ignore[arg-type]
        **dict.fromkeys(("url", "cover_url"), link),  # type: ignore[arg-type]
    )
    with HARNESSES[kind].sink() as sink:
        point_to(sink)
        for count in (1, 2, registry.get(kind).groups):
            for heading in ("", one_line(text, 300)):
                contents = [content, *[BOOK] * (count - 1)] if count == 2 else [content] * count
                outcome = send_to(kind, HARNESSES[kind], sink, *contents, heading=heading)
                assert outcome.verdict is Verdict.ACCEPTED
                within_limits(sink)


@pytest.mark.parametrize("kind", [kind for kind in SHOWING_KINDS if kind not in UNHEADED_KINDS])
@pytest.mark.parametrize("count", [1, 3])
def test_a_heading_stands_above_the_news(kind: str, count: int, point_to: PointTo) -> None:
    shown = HARNESSES[kind].shown
    assert shown
    with HARNESSES[kind].sink() as sink:
        point_to(sink)
        send_to(kind, HARNESSES[kind], sink, *[BOOK] * count, heading="Your digest")
        heading, found, news = shown(sink).partition("Your digest")
    assert found
    assert BOOK.title not in heading
    assert news.count(f"New: {BOOK.title}") == count


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_message_and_a_notice_are_taken(kind: str, point_to: PointTo) -> None:
    notice = Content(kind=NOTICE, title="A channel was disabled", summary="It said 410.")
    with HARNESSES[kind].sink() as sink:
        point_to(sink)
        for contents in ([BOOK] * registry.get(kind).groups, [notice]):
            outcome = send_to(kind, HARNESSES[kind], sink, *contents)
            assert outcome.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("kind", [kind for kind in KINDS if HARNESSES[kind].wire_ids])
def test_its_id_stays_the_same_over_retries(kind: str, point_to: PointTo) -> None:
    wire_ids = HARNESSES[kind].wire_ids
    assert wire_ids
    with HARNESSES[kind].sink() as sink:
        point_to(sink)
        for _ in range(2):
            send_to(kind, HARNESSES[kind], sink)
        assert wire_ids(sink) == [WIRE_ID] * 2


@pytest.mark.parametrize("kind", HTTP_KINDS)
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0.35", 0.35),
        ("1e9", 86400),
        (format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(days=3), usegmt=True), 86400),
        ("Thu, 01 Jan 2015 00:00:00 GMT", 0),
        ("-5", None),
        ("soon", None),
        ("", None),
    ],
    ids=["whole", "float", "huge", "date", "past", "negative", "garbage", "empty"],
)
@pytest.mark.parametrize("status", [429, 503])
def test_it_hears_retry_after(kind: str, status: int, value: str, seconds: float | None) -> None:
    with HttpSink(Reply(status, headers={"Retry-After": value})) as sink:
        outcome = send_to(kind, HARNESSES[kind], sink)
    expected = None if seconds is None else dt.timedelta(seconds=seconds)
    assert (outcome.verdict, outcome.retry_after) == (Verdict.NOT_ACCEPTED, expected)


@pytest.mark.parametrize("kind", WAITING_KINDS)
@pytest.mark.parametrize(
    ("asked", "header", "seconds"),
    [
        (7, None, 7),
        (0.35, None, 0.35),
        (64.57, "65", 65),
        (70, "65", 70),
        (1e9, "1", 86400),
        (-1, "3", 3),
        (-1, None, None),
        (float("nan"), None, None),
        (float("inf"), "3", 3),
    ],
)
def test_it_hears_the_longer_of_two_waits(
    kind: str, asked: float, header: str | None, seconds: float | None
) -> None:
    """Proves the guard: a wait that only the body asks for is kept as well."""
    wait_body = HARNESSES[kind].wait_body
    assert wait_body
    headers = {"Retry-After": header} if header else {}
    with HttpSink(Reply(429, body=wait_body(asked), headers=headers)) as sink:
        outcome = send_to(kind, HARNESSES[kind], sink)
    assert outcome.retry_after == (None if seconds is None else dt.timedelta(seconds=seconds))
    assert not outcome.costs_try


@pytest.mark.parametrize("kind", WAITING_KINDS)
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[1]", b"null", b"\xff<html>", b"[" * 60_000, b"1" * 60_000),
        *(b'{"retry_after": []}', b'{"retry_after_ms": "x"}', b'{"retry_after_ms": 1e999}'),
        *(b'{"parameters": []}', b'{"parameters": {"retry_after": {}}}', b'{"result": []}'),
    ],
    ids=range(12),
)
def test_a_body_of_any_kind_is_survived(kind: str, body: bytes) -> None:
    with HttpSink(Reply(429, body=body, headers={"Retry-After": "3"})) as sink:
        outcome = send_to(kind, HARNESSES[kind], sink)
    assert (outcome.verdict, outcome.retry_after) == (NOT_ACCEPTED, dt.timedelta(seconds=3))


@pytest.mark.parametrize("kind", HTTP_KINDS)
@pytest.mark.parametrize("asked", [1, 90, 40_000])
@pytest.mark.parametrize("status", [429, 503])
def test_nobody_is_asked_again_before_the_time_they_gave(
    kind: str, status: int, asked: int
) -> None:
    """Proves the guard: jitter comes on top of a Retry-After, also of one in the body."""
    wait_body = HARNESSES[kind].wait_body
    replies = [Reply(status, headers={"Retry-After": str(asked)})]
    replies += [Reply(status, body=wait_body(asked))] if wait_body else []
    facts = Facts(
        tries=0, attempts=1, ambiguous=0, created_at=NOW, refused_at=None, idempotent=True
    )
    for reply in replies:
        with HttpSink(reply) as sink:
            outcome = send_to(kind, HARNESSES[kind], sink)
        for jitter in (0, 0.999):
            decision = decide(
                facts, outcome, now=NOW, jitter=jitter, base=dt.timedelta(milliseconds=1)
            )
            assert decision.next_attempt_at
            assert decision.next_attempt_at - NOW >= dt.timedelta(seconds=asked)


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_what_it_tells_of_an_answer_is_short_and_holds_no_secret(kind: str) -> None:
    with HttpSink() as sink:
        config = HARNESSES[kind].config(sink.url)
        secrets = [config[name].rpartition("/")[2] for name in registry.get(kind).secret_fields]
        sink.always = Reply(500, body=f"no \x1b[31m{' '.join(secrets)} {'x' * 100_000}".encode())
        outcome = send_to(kind, HARNESSES[kind], sink)
    assert secrets
    assert not any(secret in outcome.detail for secret in secrets)
    assert outcome.detail.startswith("500: no [31m***")
    assert len(outcome.detail) <= 300


@pytest.mark.parametrize("kind", HTTP_KINDS)
@pytest.mark.parametrize(
    ("status", "verdicts"),
    [
        (200, {Verdict.ACCEPTED}),
        (404, {Verdict.NOT_ACCEPTED, Verdict.REFUSED}),
        (502, {Verdict.AMBIGUOUS}),
    ],
)
def test_only_a_failure_that_breaks_off_is_unclear(
    kind: str, status: int, verdicts: set[Verdict]
) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 99\r\n\r\nhalf" % status)
        await writer.drain()

    channel = registry.get(kind)
    with RawSink(speak) as sink:
        config = HARNESSES[kind].config(f"http://127.0.0.1:{sink.port}")
        outcome = send(channel, envelope_of(), channel.parse_config(config))
    assert outcome.verdict in verdicts


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_an_address_that_became_private_is_a_refusal(kind: str, settings: Settings) -> None:
    channel = registry.get(kind)
    with HttpSink() as sink:
        config = channel.parse_config(HARNESSES[kind].config(sink.url))
        settings.OUTBOUND_ALLOW = []
        outcome = send(channel, envelope_of(), config)
        assert sink.requests == []
    assert (outcome.verdict, outcome.refusal) == (Verdict.NOT_ACCEPTED, True)
    assert "OUTBOUND_ALLOW" in outcome.detail

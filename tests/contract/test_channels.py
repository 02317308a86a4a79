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
from notifications.messages import NOTICE, Content
from tests.contract.channels import WIRE_ID, Harness, Row, Sink, envelope_of, send, send_to
from tests.hostile import TEXTS
from tests.news import BOOK
from tests.sinks import HttpSink, RawSink, Reply

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

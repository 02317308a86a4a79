"""What the contract tests of channels share: situations, and sending to a sink."""

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from notifications.channels import registry
from notifications.channels.base import Channel, Envelope, Outcome, Verdict
from notifications.messages import Content
from stalkerr.outbound import Client
from tests.news import BOOK
from tests.sinks import FOREVER, HttpSink, MailSink, Reply

WIRE_ID = "0197f0c2-7b1e-7c60-9f6e-2f6f2b3c4d5e"
CREATED_AT = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)

Sink = HttpSink | MailSink


@dataclass(frozen=True)
class Row:
    """A situation, and what the channel must make of it."""

    name: str
    arrange: Callable[[Any], None]  # what the sink is told before
    verdict: Verdict
    status: int | None = None
    costs_try: bool = True
    refusal: bool = False


@dataclass(frozen=True)
class Harness:
    """All that the conformance test must know of a kind; its own test module has it as HARNESS."""

    sink: type[HttpSink] | type[MailSink]
    config: Callable[[str], dict[str, Any]]  # from the sink's URL
    rows: tuple[Row, ...]
    bad_configs: tuple[dict[str, Any], ...]
    wire_ids: Callable[[Any], list[str]] | None = None  # received; None: the kind has no such id


def replying(status: int, **changes: Any) -> Callable[[HttpSink], None]:
    return lambda sink: sink.replies.append(Reply(status, **changes))


def http_rows(*gone: int) -> tuple[Row, ...]:
    refusals = [status for status in (301, 302, 307, 400, 401, 403, 404, 410) if status not in gone]
    return (
        *(Row(f"{n}", replying(n), Verdict.ACCEPTED, n) for n in (200, 201, 202, 204)),
        *(Row(f"{n}", replying(n), Verdict.REFUSED, n, refusal=True) for n in gone),
        *(Row(f"{n}", replying(n), Verdict.NOT_ACCEPTED, n, refusal=True) for n in refusals),
        *(
            Row(f"{n}", replying(n), Verdict.NOT_ACCEPTED, n)
            for n in (408, 425, 500, 502, 503, 504)
        ),
        Row("429", replying(429), Verdict.NOT_ACCEPTED, 429, costs_try=False),
        Row("the answer is lost", replying(200, drop=True), Verdict.AMBIGUOUS),
        Row("no answer comes", replying(200, delay=FOREVER), Verdict.AMBIGUOUS),
    )


def envelope_of(*contents: Content) -> Envelope:
    return Envelope(wire_id=WIRE_ID, contents=contents or (BOOK,), created_at=CREATED_AT)


def send(
    channel: Channel[Any], envelope: Envelope, config: Any, now: dt.datetime | None = None
) -> Outcome:
    async def once() -> Outcome:
        async with Client() as client:
            return await channel.send(envelope, config, client, now or dt.datetime.now(dt.UTC))

    return asyncio.run(once())


def send_to(kind: str, harness: Harness, sink: Sink, *contents: Content) -> Outcome:
    channel = registry.get(kind)
    config = channel.parse_config(harness.config(sink.url))
    return send(channel, envelope_of(*contents), config)

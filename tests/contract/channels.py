"""What the contract tests of channels share: situations, and sending to a sink."""

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
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
    # What a reader sees of the last message, as text; it fails where anything else is in there.
    shown: Callable[[Any], str] | None = None
    # Asserts of the last message what its provider demands: lengths, counts.
    within_limits: Callable[[Any], None] | None = None
    # An answer's body that asks to wait so many seconds; None: only the header can.
    wait_body: Callable[[float], bytes] | None = None


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


def envelope_of(*contents: Content, heading: str = "") -> Envelope:
    return Envelope(
        wire_id=WIRE_ID, contents=contents or (BOOK,), created_at=CREATED_AT, heading=heading
    )


def send(
    channel: Channel[Any], envelope: Envelope, config: Any, now: dt.datetime | None = None
) -> Outcome:
    async def once() -> Outcome:
        async with Client() as client:
            return await channel.send(envelope, config, client, now or dt.datetime.now(dt.UTC))

    return asyncio.run(once())


def send_to(
    kind: str, harness: Harness, sink: Sink, *contents: Content, heading: str = ""
) -> Outcome:
    channel = registry.get(kind)
    config = channel.parse_config(harness.config(sink.url))
    return send(channel, envelope_of(*contents, heading=heading), config)


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@dataclass
class _Page(HTMLParser):
    """The text of a page that has only our own tags in it."""

    tags: set[str]
    links: set[str]
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.tags, tag
        assert all(name == "href" and value in self.links for name, value in attrs), attrs
        self.texts.append("\n" if tag == "br" else "")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def text_of(page: str, tags: str) -> str:
    """What a reader sees of a page; fails on tags and links that are not ours."""
    parser = _Page(set(tags.split()), {BOOK.url})
    parser.feed(page)
    parser.close()
    return "".join(parser.texts)

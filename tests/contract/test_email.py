import asyncio
import dataclasses
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest
from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as SmtpEnvelope
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from notifications import messages
from notifications.channels import email, registry
from notifications.channels.base import Envelope, Outcome, Verdict
from notifications.channels.email import composed
from notifications.messages import NOTICE, Content
from stalkerr.outbound import Client
from tests.contract.channels import (
    CREATED_AT,
    WIRE_ID,
    Harness,
    Row,
    Sink,
    envelope_of,
    send,
    send_to,
)
from tests.hostile import TEXTS
from tests.news import BOOK
from tests.sinks import Mail, MailSink, RawSink
from tests.watchman import WATCHMAN

PointTo = Callable[[Sink], None]
NOT_ACCEPTED = Verdict.NOT_ACCEPTED
without_tls = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


def row(
    at: str, answer: str, verdict: Verdict, status: int | None = None, *, refusal: bool = False
) -> Row:
    def arrange(sink: MailSink) -> None:
        getattr(sink, f"at_{at}").append(answer)

    return Row(f"{answer} at {at}", arrange, verdict, status, refusal=refusal)


HARNESS = Harness(
    sink=MailSink,
    config=lambda _url: {"address": "reader@example.org"},
    rows=(
        Row("all is well", lambda _sink: None, Verdict.ACCEPTED, 250),
        row("mail", "550 5.1.8 bad sender", NOT_ACCEPTED, 550),
        row("mail", "drop", NOT_ACCEPTED),
        row("rcpt", "450 4.2.1 greylisted", NOT_ACCEPTED, 450),
        row("rcpt", "550 5.1.1 no such user", Verdict.REFUSED, 550, refusal=True),
        row("rcpt", "550 no such user", Verdict.REFUSED, 550, refusal=True),
        row("rcpt", "554 5.7.1 relay access denied", NOT_ACCEPTED, 554, refusal=True),
        row("rcpt", "530 sign in first", NOT_ACCEPTED, 530, refusal=True),
        row("rcpt", "drop", NOT_ACCEPTED),
        row("rcpt", "hang", NOT_ACCEPTED),
        row("data", "451 4.3.0 try later", NOT_ACCEPTED, 451),
        row("data", "554 5.7.1 spam", NOT_ACCEPTED, 554),
        row("data", "drop", Verdict.AMBIGUOUS),
        row("data", "hang", Verdict.AMBIGUOUS),
    ),
    bad_configs=tuple(
        {"address": address}
        for address in (
            *("", "x", "a@b", "a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example"),
            *("ä@b.example", "a@bücher.example", "<a@b.example>", None, 5, ["a@b.example"]),
        )
    ),
    wire_ids=lambda sink: [
        mail.message["Message-ID"].strip("<>").partition("@")[0] for mail in sink.mails
    ],
    shown=lambda sink: faces(sink.mails[-1])[0],
)


@pytest.fixture
def mail_of(point_to: PointTo) -> Callable[..., Mail]:
    """The mail that such contents become."""

    def receive(*contents: object) -> Mail:
        with MailSink() as sink:
            point_to(sink)
            send_to("email", HARNESS, sink, *contents)  # type: ignore[arg-type]
            (mail,) = sink.mails
        return mail

    return receive


def faces(mail: Mail) -> tuple[str, str]:
    """Plain text and page."""
    text, page = mail.message.get_body(("plain",)), mail.message.get_body(("html",))
    assert text
    assert page
    return text.get_content(), page.get_content()


@pytest.mark.parametrize("text", TEXTS)
def test_a_title_makes_no_new_header_and_no_markup(text: str, mail_of: Callable[..., Mail]) -> None:
    mail = mail_of(dataclasses.replace(BOOK, title=text, why=text, summary=text))
    assert {name.lower() for name in mail.message} == {
        *("from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version"),
        "content-type",
    }
    assert mail.recipients == ("reader@example.org",)
    _, page = faces(mail)
    assert "<script" not in page
    assert page.count("<img") == 1, "the cover"


def test_a_mail_has_two_faces(mail_of: Callable[..., Mail]) -> None:
    mail = mail_of(dataclasses.replace(BOOK, title="Ünïcode 🎧"), BOOK)
    assert mail.message["Subject"] == "New: Ünïcode 🎧 and 1 more"
    assert mail.message["Date"].datetime == CREATED_AT
    for face in faces(mail):
        assert "Ünïcode 🎧" in face
        assert "Narrated by: C. Voice" in face
        assert "You hear of it because of: author A. Writer" in face
        assert BOOK.url in face
    assert f'src="{BOOK.cover_url}"' in faces(mail)[1]


@pytest.mark.parametrize("title", ["漢字 " * 60, "Ünïcode", "x" * 300])
def test_a_mail_is_plain_ascii_on_the_wire(title: str, mail_of: Callable[..., Mail]) -> None:
    raw = mail_of(dataclasses.replace(BOOK, title=title)).raw
    assert raw.isascii()
    assert max(map(len, raw.splitlines())) <= 998, "longer lines are no mail"


# -- what stands in it: composed here, read by the standard library -----------------------------

STOP = "https://stalkerr.example/stop/abc?x=1&y=2"
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"]
UNSUBSCRIBE = ["List-Unsubscribe", "List-Unsubscribe-Post"]
MIME = ["MIME-Version", "Content-Type"]


def read(*contents: Content, heading: str = "", unsubscribe_url: str = "") -> EmailMessage:
    raw = composed(
        Envelope(
            wire_id=WIRE_ID,
            contents=contents or (BOOK,),
            created_at=CREATED_AT,
            heading=heading,
            unsubscribe_url=unsubscribe_url,
        ),
        "reader@example.org",
    )
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def text_of(mail: EmailMessage, subtype: str = "plain") -> str:
    part = mail.get_body((subtype,))
    assert part is not None
    text: str = part.get_content()
    return text.replace("\r\n", "\n")


class Reader(HTMLParser):
    """The words of a page, its links and its pictures."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src") and value]

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())


@given(st.text(max_size=120), st.text(max_size=60))
def test_any_words_are_read_as_they_were_written(text: str, heading: str) -> None:
    content = dataclasses.replace(BOOK, title=text, summary=text, subtitle=text)
    mail = read(content, heading=heading)
    own = messages.one_line(heading, 300)
    assert mail["Subject"] == (own or messages.headline(content))
    assert mail.keys() == [*HEADERS, *MIME]
    lines = text_of(mail).split("\n")
    assert set(messages.body_lines(content)) <= set(lines)
    words = Reader(text_of(mail, "html")).words
    assert {messages.headline(content), *messages.body_lines(content)} <= set(words)


@pytest.mark.parametrize("heading", ["Digest\r\nBcc: everyone@example.org", "a\nb", "x" * 2000])
def test_a_heading_makes_no_header(heading: str) -> None:
    """Proves the guard of headers: the subject is cleaned once more where it becomes one."""
    mail = read(heading=heading)
    assert mail.keys() == [*HEADERS, *MIME]
    assert mail["To"] == "reader@example.org"


@pytest.mark.parametrize(
    "title", ["=?utf-8?q?Evil=0A?=", "=?utf-8?b?RXZpbA==?= x", "a =?us-ascii?q?b?= c"]
)
def test_a_title_that_looks_encoded_is_shown_as_it_is(title: str) -> None:
    """Proves the guard of encoded words: what a store prints is not decoded by a mail program."""
    assert read(dataclasses.replace(BOOK, title=title))["Subject"] == f"New: {title}"


def test_a_mail_is_the_same_every_time() -> None:
    envelope = envelope_of(BOOK, BOOK)
    assert len({composed(envelope, "reader@example.org") for _ in range(3)}) == 1


def test_a_digest_has_its_heading_above_all() -> None:
    heading = messages.digest_heading(CREATED_AT.date(), 2)
    mail = read(BOOK, BOOK, heading=heading)
    assert mail["Subject"] == heading
    assert text_of(mail).startswith(f"{heading}\n\nNew: The Long Way\n")
    assert f">{heading}</h1>" in text_of(mail, "html")


def test_one_click_stops_the_mails() -> None:
    mail = read(unsubscribe_url=STOP)
    assert mail.keys() == [*HEADERS, *UNSUBSCRIBE, *MIME]
    assert mail["List-Unsubscribe"] == f"<{STOP}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert text_of(mail).endswith(f"\n\n-- \nTo stop these e-mails, open\n{STOP}\n")
    assert STOP in Reader(text_of(mail, "html")).links


@pytest.mark.parametrize("url", ["", "https://x.example/>\r\nBcc: a@b.example", "x" * 600])
def test_without_a_link_that_is_one_nothing_is_said_of_stopping(url: str) -> None:
    mail = read(unsubscribe_url=url)
    assert mail.keys() == [*HEADERS, *MIME]
    assert "stop" not in text_of(mail).lower()


def test_a_notice_has_its_link_as_a_button_and_in_full() -> None:
    url = f"https://stalkerr.example/confirm/{'a' * 80}?x=1&y=2"
    notice = Content(kind=NOTICE, title="Confirm", summary="It is you?", url=url, link_words="Yes")
    mail = read(notice)
    assert f"\n{url}\n" in text_of(mail)
    page = Reader(text_of(mail, "html"))
    assert page.links == [url, url]
    assert {"Yes", url} <= set(page.words)
    assert "Open" in Reader(text_of(read(dataclasses.replace(notice, link_words="")), "html")).words


def test_a_picture_and_a_link_are_there_only_where_there_are_some() -> None:
    bare = Reader(text_of(read(Content(kind="announced", title="Bare")), "html"))
    assert bare.links == []
    assert Reader(text_of(read(BOOK), "html")).links == [BOOK.cover_url, BOOK.url]
    assert bare.tags <= {
        *("html", "head", "meta", "title", "body", "div", "table", "tr", "td", "h2", "br", "p"),
        "tbody",
    }


def test_its_channel_is_confirmed_by_a_link() -> None:
    assert registry.get("email").confirmed_by_link


# -- connections: a burst does not sign in for every mail ---------------------------------------


class Doorkeeper(MailSink):
    """A mailbox that knows over which connection each mail came."""

    def __init__(self) -> None:
        super().__init__()
        self.doors: list[object] = []
        self.hang_up_after: int | None = None  # so many mails: the server closes, with no word

    async def handle_DATA(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: SmtpEnvelope
    ) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        self.doors.append(session.peer)
        if len(self.doors) == self.hang_up_after:
            assert isinstance(server.transport, asyncio.Transport)
            asyncio.get_running_loop().call_soon(server.transport.close)
        return answer


def send_many(count: int, *, at_once: int = 1) -> list[Outcome]:
    """Mails over one event loop, so many at a time."""

    async def one(number: int, client: Client) -> Outcome:
        channel = registry.get("email")
        config = channel.parse_config({"address": f"reader{number}@example.org"})
        return await channel.send(envelope_of(), config, client, CREATED_AT)

    async def all_of_them() -> list[Outcome]:
        outcomes: list[Outcome] = []
        async with Client() as client:
            for first in range(0, count, at_once):
                several = [one(first + each, client) for each in range(at_once)]
                outcomes += await asyncio.gather(*several)
        return outcomes

    return asyncio.run(all_of_them())


@pytest.mark.parametrize(("count", "at_once"), [(12, 1), (12, 4)])
def test_a_burst_goes_over_few_connections(count: int, at_once: int, point_to: PointTo) -> None:
    with Doorkeeper() as sink:
        point_to(sink)
        outcomes = send_many(count, at_once=at_once)
        assert len(sink.wait_for(count)) == count
    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
    assert len(set(sink.doors)) <= at_once
    assert len({mail.recipients for mail in sink.mails}) == count, "nothing of one is in another"


def test_a_connection_that_was_closed_meanwhile_costs_nothing(point_to: PointTo) -> None:
    """Proves the guard of kept connections: one that died while it waited is opened anew."""
    with Doorkeeper() as sink:
        point_to(sink)
        sink.hang_up_after = 1
        outcomes = send_many(3)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.ACCEPTED] * 3
    assert len(sink.mails) == 3
    assert len(set(sink.doors)) == 2


@pytest.mark.parametrize("answer", ["421 too many mails", "drop"])
def test_a_connection_that_takes_no_more_is_opened_anew(answer: str, point_to: PointTo) -> None:
    with Doorkeeper() as sink:
        point_to(sink)
        sink.at_mail.extend(["", answer, ""])
        outcomes = send_many(2)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.ACCEPTED] * 2
    assert len(set(sink.doors)) == 2


def test_a_refused_reader_leaves_nothing_behind_for_the_next(point_to: PointTo) -> None:
    with Doorkeeper() as sink:
        point_to(sink)
        sink.at_rcpt.extend(["", "550 5.1.1 no such user", ""])
        outcomes = send_many(3)
    verdicts = [Verdict.ACCEPTED, Verdict.REFUSED, Verdict.ACCEPTED]
    assert [outcome.verdict for outcome in outcomes] == verdicts
    assert [mail.recipients for mail in sink.mails] == [
        ("reader0@example.org",),
        ("reader2@example.org",),
    ]


def test_a_connection_is_not_kept_for_long(
    point_to: PointTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def until_signed_off() -> bool:
        channel = registry.get("email")
        config = channel.parse_config({"address": "reader@example.org"})
        async with Client() as client:
            await channel.send(envelope_of(), config, client, CREATED_AT)
        (kept,) = email._waiting[asyncio.get_running_loop()]
        assert kept.waiting
        await asyncio.wait_for(kept.waiting, 5)
        return kept.smtp.is_connected

    monkeypatch.setattr(email, "IDLE", 0.01)
    with MailSink() as sink:
        point_to(sink)
        assert asyncio.run(until_signed_off()) is False


# -- how a mail server is spoken to -------------------------------------------------------------


@without_tls
def test_it_signs_in_where_the_mail_server_wants_that(point_to: PointTo) -> None:
    with MailSink(password="p@ss: w/örd%") as sink:
        point_to(sink)
        assert send_to("email", HARNESS, sink).verdict is Verdict.ACCEPTED


@without_tls
@pytest.mark.parametrize("wrong", ["stalkerr:guess-me@", ""])
def test_a_mail_server_that_does_not_know_us_is_no_fault_of_the_reader(
    wrong: str, settings: Settings
) -> None:
    with MailSink(password="right") as sink:
        settings.SMTP_URL = f"smtp://{wrong}127.0.0.1:{sink.port}"
        outcome = send_to("email", HARNESS, sink)
    assert (outcome.verdict, outcome.refusal) == (NOT_ACCEPTED, False)
    assert "guess-me" not in outcome.detail


@pytest.mark.usefixtures("point_to")
def test_a_mail_server_that_dawdles_over_every_line_is_left(settings: Settings) -> None:
    async def dawdle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await asyncio.sleep(0.2)
            writer.write(b"250 sink\r\n" if heard else b"220 sink\r\n")
            heard.append(await reader.readuntil(b"\r\n"))

    heard: list[bytes] = []
    with RawSink(dawdle) as sink:
        settings.SMTP_URL = f"smtp://127.0.0.1:{sink.port}"
        channel = registry.get("email")
        outcome = send(channel, envelope_of(), channel.parse_config({"address": "a@b.example"}))
    assert outcome.verdict is NOT_ACCEPTED
    assert len(heard) <= 3


def test_without_a_mail_server_nothing_is_accepted(settings: Settings) -> None:
    settings.SMTP_URL = ""
    channel = registry.get("email")
    outcome = send(channel, envelope_of(), channel.parse_config({"address": "a@b.example"}))
    assert (outcome.verdict, outcome.refusal) == (NOT_ACCEPTED, False)
    assert "SMTP_URL" in outcome.detail


def test_its_destination_is_the_domain() -> None:
    channel = registry.get("email")
    assert channel.destination(channel.parse_config({"address": "A@B.example"})) == "b.example"


def test_nobody_is_contacted_but_the_operators_server(point_to: PointTo) -> None:
    """Not the recipient's domain, not the sender's: what users make is never dialled."""
    channel = registry.get("email")
    config = channel.parse_config({"address": "a@evil.example"})
    with MailSink() as sink, WATCHMAN.on_duty() as heard:
        point_to(sink)
        assert send(channel, envelope_of(), config).verdict is Verdict.ACCEPTED
        assert (heard.connects, set(heard.lookups)) == (["127.0.0.1"], set())

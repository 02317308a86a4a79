import asyncio
import dataclasses
from collections.abc import Callable

import pytest
from pytest_django import Settings

from notifications.channels import registry
from notifications.channels.base import Verdict
from tests.contract.channels import CREATED_AT, Harness, Row, Sink, envelope_of, send, send_to
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

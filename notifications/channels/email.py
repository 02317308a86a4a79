"""Plain and HTML mail over the operator's SMTP server.

What its replies mean: 5xx to the recipient is a refusal for good, unless it is about policy
(5.7.x: our relay may be set up wrongly, which is no fault of the recipient's); 5xx to the text
is about this one message; everything else asks for another time. From the moment the text is
handed over until its reply, a lost connection leaves it unclear: the Message-ID stays the same.

A connection that took a mail is kept a moment for the next one, or a burst would sign in as often
as it has readers.
"""

import asyncio
import binascii
import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import Header
from email.headerregistry import Address
from email.utils import format_datetime, formataddr, parseaddr
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

from aiosmtplib import SMTP, SMTPException, SMTPRecipientRefused, SMTPResponseException
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.template.defaultfilters import linebreaksbr
from django.utils.html import format_html, format_html_join

from notifications import messages
from notifications.channels.base import (
    DETAIL_MAX,
    Channel,
    ConfigError,
    Envelope,
    Outcome,
    Verdict,
    text_fields,
)
from notifications.messages import Content
from stalkerr.outbound import Client

SUBJECT_MAX: Final = 500  # characters
IDLE: Final = 2.0  # seconds that a connection waits for another mail

# How it looks. Mail programs read styles only where they stand.
_FONT: Final = "font:16px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;"
_LINK: Final = "color:#1f5a92;text-decoration:none;"
_SMALL: Final = "margin:12px 0 0;font-size:13px;color:#6b7078;"
_PAGE: Final = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>{{}}</title></head>
<body style="margin:0;padding:24px 12px;background:#f3f2ee;color:#23262b">
<div style="max-width:600px;margin:0 auto;{_FONT}">
{{}}{{}}
{{}}</div></body></html>
"""
_TITLE: Final = '<h1 style="margin:0 0 16px;font-size:22px">{}</h1>\n'
_CARD: Final = f"""\
<table role="presentation" width="100%" cellspacing="0" cellpadding="0" style="margin:0 0 16px;
background:#ffffff;border:1px solid #e3e1da;border-radius:8px;{_FONT}"><tr>{{}}
<td valign="top" style="padding:16px">
<h2 style="margin:0 0 8px;font-size:18px;line-height:1.3">{{}}</h2>
{{}}{{}}{{}}</td></tr></table>"""
_COVER: Final = """
<td width="112" valign="top" style="padding:16px 0 16px 16px">
<img src="{}" alt="" width="112" style="display:block;border-radius:4px"></td>"""
_HEAD: Final = f'<a href="{{}}" style="{_LINK}">{{}}</a>'
_BUTTON: Final = f"""
<p style="margin:20px 0"><a href="{{0}}" style="display:inline-block;padding:12px 24px;
border-radius:6px;background:#1f5a92;color:#ffffff;font-weight:bold;text-decoration:none">{{1}}</a></p>
<p style="{_SMALL}">Or open this address:<br>
<a href="{{0}}" style="{_LINK}word-break:break-all">{{0}}</a></p>"""
_WHY: Final = f'\n<p style="{_SMALL}">{{}}</p>'
_FOOT: Final = f"""\
<p style="{_SMALL}text-align:center"><a href="{{}}" style="color:#6b7078">Stop these e-mails</a></p>
"""


@dataclass(frozen=True, slots=True)
class Config:
    address: str


class Email(Channel[Config]):
    kind = "email"
    label = "E-mail"
    idempotent = True
    groups = 50
    fields = {"address": "the mailbox"}
    secret_fields = frozenset[str]()
    confirmed_by_link = True
    unsubscribes = True

    def parse_config(self, data: Mapping[str, Any]) -> Config:
        fields = text_fields(data, "address")
        try:
            validate_email(fields["address"])
            fields["address"].encode("ascii")
            # Some that the rule above takes can't stand in a header, or not as they are.
            is_plain = Address(addr_spec=fields["address"]).addr_spec == fields["address"]
        except (ValidationError, ValueError, HeaderParseError) as error:
            raise ConfigError({"address": "This is not an e-mail address."}) from error
        if not is_plain:
            raise ConfigError({"address": "This is not an e-mail address."})
        return Config(**fields)

    def destination(self, config: Config) -> str:
        return config.address.rpartition("@")[2].lower()

    async def send(
        self, envelope: Envelope, config: Config, client: Client, now: dt.datetime
    ) -> Outcome:
        if not settings.SMTP_URL:
            return Outcome(verdict=Verdict.NOT_ACCEPTED, detail="This server has no SMTP_URL.")
        return await _hand_over(composed(envelope, config.address), config.address)


async def _hand_over(mail: bytes, address: str) -> Outcome:
    smtp = _kept() or _smtp()
    begun = False
    try:
        async with asyncio.timeout(settings.OUTBOUND_TIMEOUT.total_seconds()):
            await _begin(smtp)
            await smtp.rcpt(address)
            begun = True
            reply = await smtp.data(mail)
    except SMTPResponseException as error:
        smtp.close()
        return _rejected(error)
    except (SMTPException, OSError) as error:
        smtp.close()
        verdict = Verdict.AMBIGUOUS if begun else Verdict.NOT_ACCEPTED
        return Outcome(
            verdict=verdict, detail=f"The mail server broke off ({type(error).__name__})."
        )
    _keep(smtp)
    return Outcome(verdict=Verdict.ACCEPTED, status=reply.code, detail=_words(reply.message))


async def _begin(smtp: SMTP) -> None:
    """Name the sender; over a new connection where one that was kept no longer takes it.

    Nothing of this mail has been said by then, so that saying it again doubles nothing.
    """
    _, sender = _sender(settings.EMAIL_FROM)
    if smtp.is_connected:
        with suppress(SMTPException, OSError):
            await smtp.mail(sender)
            return
        smtp.close()
    await smtp.connect()
    await smtp.mail(sender)


@dataclass(slots=True, eq=False)
class _Kept:
    """A connection that waits for another mail, and the task that ends its waiting."""

    smtp: SMTP
    url: str  # of its server
    is_taken: asyncio.Event
    waiting: asyncio.Task[None] | None = None  # held, or it might be collected


# By event loop: a connection belongs to the loop that opened it.
_waiting: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, list[_Kept]]] = WeakKeyDictionary()


def _kept() -> SMTP | None:
    """A connection of this event loop to our server that no mail is using."""
    kept = _waiting.get(asyncio.get_running_loop(), [])
    newest = next((each for each in reversed(kept) if each.url == settings.SMTP_URL), None)
    if newest is None:
        return None
    kept.remove(newest)
    newest.is_taken.set()
    return newest.smtp


def _keep(smtp: SMTP) -> None:
    kept = _Kept(smtp, settings.SMTP_URL, asyncio.Event())
    _waiting.setdefault(asyncio.get_running_loop(), []).append(kept)
    kept.waiting = asyncio.create_task(_let_go(kept))


async def _let_go(kept: _Kept) -> None:
    """Sign off when nobody has taken the connection for a while, or when the loop ends."""
    try:
        async with asyncio.timeout(IDLE):
            await kept.is_taken.wait()
    except TimeoutError:
        pass
    finally:
        if not kept.is_taken.is_set():
            _waiting[asyncio.get_running_loop()].remove(kept)
            await _sign_off(kept.smtp)


async def _sign_off(smtp: SMTP) -> None:
    try:
        with suppress(SMTPException, OSError):
            await smtp.quit(timeout=1)
    finally:
        smtp.close()


def _rejected(error: SMTPResponseException) -> Outcome:
    text = _words(f"{error.code} {error.message}")
    is_recipient = isinstance(error, SMTPRecipientRefused) and error.code >= 500
    is_policy = (
        error.message.startswith("5.7.") or error.code == 530
    )  # 530: we should have signed in
    for_good = is_recipient and not is_policy
    return Outcome(
        verdict=Verdict.REFUSED if for_good else Verdict.NOT_ACCEPTED,
        status=error.code,
        detail=text,
        refusal=is_recipient,
    )


def _words(text: str) -> str:
    return messages.one_line(text, DETAIL_MAX)


def _smtp() -> SMTP:
    url = urlsplit(settings.SMTP_URL)
    return SMTP(
        hostname=url.hostname,
        port=url.port,
        username=unquote(url.username) if url.username else None,
        password=unquote(url.password) if url.password else None,
        use_tls=url.scheme == "smtps",
        local_hostname=_sender(settings.EMAIL_FROM)[1].rpartition("@")[2],
        timeout=settings.OUTBOUND_TIMEOUT.total_seconds(),
    )


@lru_cache(maxsize=2)
def _sender(text: str) -> tuple[str, str]:
    """EMAIL_FROM as a header, and its address alone."""
    name, address = parseaddr(text)
    return formataddr((name, address)), address


def composed(envelope: Envelope, address: str) -> bytes:
    """The mail: the same bytes every time, so that a second copy can be told as one.

    Written out here, as the standard library takes two milliseconds to do it. Plain ASCII in
    short lines, which any relay takes; "=_" never stands in quoted-printable text.
    """
    sender, own_address = _sender(settings.EMAIL_FROM)
    heading = messages.one_line(envelope.heading, SUBJECT_MAX)
    subject = messages.subject(envelope.contents, heading)
    boundary = f"=_{envelope.wire_id}"
    headers = {
        "From": sender,
        "To": address,
        "Subject": _header_text(subject),
        "Date": format_datetime(envelope.created_at),
        "Message-ID": f"<{envelope.wire_id}@{own_address.rpartition('@')[2]}>",
        "Auto-Submitted": "auto-generated",
        **_unsubscribing(envelope),
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/alternative; boundary="{boundary}"',
    }
    head = "".join([f"{name}: {value}\r\n" for name, value in headers.items()]).encode("ascii")
    plain = _part("plain", _text(envelope, heading))
    page = _part("html", _page(envelope, heading, subject))
    return f"\r\n--{boundary}".encode().join([head, plain, page, b"--\r\n"])


def _header_text(line: str) -> str:
    """A clean line as a header's value. What only looks encoded is encoded, or it'd be decoded."""
    if line.isascii() and "=?" not in line:
        return line
    return Header(line, "utf-8", header_name="Subject").encode(linesep="\r\n")


def _unsubscribing(envelope: Envelope) -> dict[str, str]:
    """One click in the mail program switches the channel off (RFC 8058)."""
    url = messages.web_url(envelope.unsubscribe_url)
    post = {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return {"List-Unsubscribe": f"<{url}>", **post} if url else {}


def _part(subtype: str, text: str) -> bytes:
    body = binascii.b2a_qp(text.replace("\n", "\r\n").encode(), istext=True)
    head = f"Content-Type: text/{subtype}; charset=utf-8"
    return f"\r\n{head}\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n".encode() + body


def _text(envelope: Envelope, heading: str) -> str:
    paragraphs = [heading] if heading else []
    paragraphs += [_paragraph(content) for content in envelope.contents]
    if url := messages.web_url(envelope.unsubscribe_url):
        paragraphs.append(f"-- \nTo stop these e-mails, open\n{url}")
    return "\n\n".join(paragraphs) + "\n"


def _paragraph(content: Content) -> str:
    lines = (
        messages.headline(content),
        *messages.body_lines(content),
        content.url,
        messages.why_words(content),
    )
    return "\n".join([line for line in lines if line])


def _page(envelope: Envelope, heading: str, subject: str) -> str:
    stop = messages.web_url(envelope.unsubscribe_url)
    return format_html(
        _PAGE,
        subject,
        format_html(_TITLE, heading) if heading else "",
        format_html_join("\n", "{}", [(_card(content),) for content in envelope.contents]),
        format_html(_FOOT, stop) if stop else "",
    )


def _card(content: Content) -> str:
    """One piece of news, its cover beside its words. What a notice asks to open is a button."""
    is_notice = content.kind == messages.NOTICE
    headline, why = messages.headline(content), messages.why_words(content)
    link = "" if is_notice else content.url
    button = content.url if is_notice else ""
    return format_html(
        _CARD,
        format_html(_COVER, content.cover_url) if content.cover_url else "",
        format_html(_HEAD, link, headline) if link else headline,
        linebreaksbr("\n".join(messages.body_lines(content))),
        format_html(_BUTTON, button, content.link_words or "Open") if button else "",
        format_html(_WHY, why) if why else "",
    )

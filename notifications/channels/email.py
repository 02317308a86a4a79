"""Plain and HTML mail over the operator's SMTP server.

What its replies mean: 5xx to the recipient is a refusal for good, unless it is about policy
(5.7.x: our relay may be set up wrongly, which is no fault of the recipient's); 5xx to the text
is about this one message; everything else asks for another time. From the moment the text is
handed over until its reply, a lost connection leaves it unclear: the Message-ID stays the same.
"""

import asyncio
import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from aiosmtplib import SMTP, SMTPException, SMTPRecipientRefused, SMTPResponseException
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
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

POLICY: Final = SMTP_POLICY.clone(cte_type="7bit")  # any relay takes it


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
        mail = composed(envelope, config.address).as_bytes(policy=POLICY)
        return await _hand_over(mail, config.address)


async def _hand_over(mail: bytes, address: str) -> Outcome:
    smtp = _smtp()
    begun = False
    try:
        async with asyncio.timeout(settings.OUTBOUND_TIMEOUT.total_seconds()):
            await smtp.connect()
            await smtp.mail(_sender())
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
    with suppress(SMTPException, OSError):
        await smtp.quit(timeout=1)
    smtp.close()
    return Outcome(verdict=Verdict.ACCEPTED, status=reply.code, detail=_words(reply.message))


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
        local_hostname=_sender().rpartition("@")[2],
        timeout=settings.OUTBOUND_TIMEOUT.total_seconds(),
    )


def _sender() -> str:
    return parseaddr(settings.EMAIL_FROM)[1]


def composed(envelope: Envelope, address: str) -> EmailMessage:
    """The mail; the same every time it is made, so that a second copy can be told as one."""
    name, sender = parseaddr(settings.EMAIL_FROM)
    mail = EmailMessage(policy=POLICY)
    mail["From"] = Address(name, addr_spec=sender)
    mail["To"] = Address(addr_spec=address)
    mail["Subject"] = messages.subject(envelope.contents)
    mail["Date"] = format_datetime(envelope.created_at)
    mail["Message-ID"] = f"<{envelope.wire_id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n\n".join(_text(content) for content in envelope.contents) + "\n")
    mail.add_alternative(_page(envelope.contents), subtype="html")
    return mail


def _text(content: Content) -> str:
    lines = (
        messages.headline(content),
        *messages.body_lines(content),
        content.url,
        messages.why_words(content),
    )
    return "\n".join(line for line in lines if line)


def _page(contents: tuple[Content, ...]) -> str:
    articles = format_html_join("\n", "{}", ((_article(content),) for content in contents))
    return format_html(
        '<html><body style="font-family: sans-serif">\n{}\n</body></html>\n', articles
    )


def _article(content: Content) -> str:
    title = messages.headline(content)
    head = format_html('<a href="{}">{}</a>', content.url, title) if content.url else title
    cover = format_html('<img src="{}" alt="" width="160">', content.cover_url)
    lines = format_html_join("", "<p>{}</p>", ((line,) for line in messages.body_lines(content)))
    why = format_html("<p><small>{}</small></p>", messages.why_words(content))
    return format_html("<h2>{}</h2>{}{}{}", head, cover if content.cover_url else "", lines, why)

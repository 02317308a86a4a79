"""Signed JSON to any address: Standard Webhooks 1.0 (docs/reference has the schema).

A secret is changed without a moment in which its owner's receiver is wrong: for a day, what is
sent carries two signatures, of the new secret and of the one before.
"""

import base64
import binascii
import datetime as dt
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson
from yarl import URL

from notifications import messages
from notifications.channels.base import (
    Channel,
    ConfigError,
    Envelope,
    Outcome,
    ask,
    checked_url,
    text_fields,
)
from notifications.messages import Content
from stalkerr.outbound import Client

VERSION: Final = 1  # of the body; grows when a field goes or changes its meaning
PREFIX: Final = "whsec_"
KEY_SIZES: Final = range(24, 65)  # bytes
ROTATION: Final = dt.timedelta(hours=24)  # for so long the old secret signs too

_OLD: Final = ("old_secret", "old_secret_until")  # both or neither


@dataclass(frozen=True, slots=True)
class Config:
    url: str
    secret: str
    old_secret: str = ""  # empty: there is none
    old_secret_until: str = ""  # a moment in ISO's spelling; from then on it signs nothing


class Webhook(Channel[Config]):
    kind = "webhook"
    label = "Webhook"
    idempotent = True
    groups = 1
    fields = {
        "url": "where it is posted to",
        "secret": "what signs it; made if left out, and shown only in the answer to its creation",
        "old_secret": "what signs it as well after a rotation, which sets it",
        "old_secret_until": "how long it does",
    }
    secret_fields = frozenset({"secret", "old_secret"})

    def completed(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {"secret": new_secret(), **data}

    def parse_config(self, data: Mapping[str, Any]) -> Config:
        given = {name: value for name, value in data.items() if value or name not in _OLD}
        is_changing = not given.keys().isdisjoint(_OLD)
        fields = text_fields(given, "url", "secret", *(_OLD if is_changing else ()))
        _key(fields["secret"])
        if is_changing:
            _key(fields["old_secret"], "old_secret")
            _moment(fields["old_secret_until"])
        return Config(**{**fields, "url": checked_url(fields["url"])})

    def destination(self, config: Config) -> str:
        return URL(config.url).raw_host or ""

    async def send(
        self, envelope: Envelope, config: Config, client: Client, now: dt.datetime
    ) -> Outcome:
        (content,) = envelope.contents
        body = _body(content, envelope.created_at)
        outcome, _ = await ask(
            client,
            config.url,
            headers=signed(envelope.wire_id, now, body, *valid_secrets(config, now)),
            body=body,
            now=now,
            secrets=[config.secret, *([config.old_secret] if config.old_secret else [])],
        )
        return outcome


def new_secret() -> str:
    """A fresh signing secret, in the spelling that receivers' libraries take."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def rotated(config: Config, now: dt.datetime) -> Config:
    """`config` with a fresh secret; the one it had signs beside it until a day from now."""
    return Config(config.url, new_secret(), config.secret, (now + ROTATION).isoformat())


def valid_secrets(config: Config, now: dt.datetime) -> tuple[str, ...]:
    """What signs at that moment, the newest first."""
    if config.old_secret and now < _moment(config.old_secret_until):
        return config.secret, config.old_secret
    return (config.secret,)


def signed(wire_id: str, now: dt.datetime, body: bytes, *secrets: str) -> dict[str, str]:
    """The headers of one attempt: the id stays over retries, moment and signatures are new."""
    moment = str(int(now.timestamp()))
    text = f"{wire_id}.{moment}.".encode() + body
    return {
        "Content-Type": "application/json",
        "webhook-id": wire_id,
        "webhook-timestamp": moment,
        "webhook-signature": " ".join([_signature(text, secret) for secret in secrets]),
    }


@lru_cache(maxsize=256)  # one piece of news goes to many
def _body(content: Content, created_at: dt.datetime) -> bytes:
    return orjson.dumps(body_of(content, created_at))


def _signature(text: bytes, secret: str) -> str:
    digest = hmac.digest(_key(secret), text, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


@lru_cache(maxsize=4096)  # asked with every message of a channel
def _key(secret: str, field: str = "secret") -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or len(key) not in KEY_SIZES:
        raise ConfigError({field: f"This must be {PREFIX} and 24 to 64 bytes in base64."})
    return key


def _moment(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(text)
    except ValueError as error:
        words = "This must be a moment, such as 2027-06-09T12:00:00Z."
        raise ConfigError({"old_secret_until": words}) from error
    return moment


def body_of(content: Content, created_at: dt.datetime) -> dict[str, Any]:
    """The body as docs/reference/webhook-v1.schema.json has it."""
    kind, data = _SHAPES.get(content.kind) or (f"release.{content.kind}", _release)
    return {
        "type": kind,
        "version": VERSION,
        "timestamp": created_at.isoformat(),
        "data": data(content),
    }


def _book(content: Content) -> dict[str, Any]:
    return {"headline": messages.headline(content), "audiobook": _audiobook(content)}


def _notice(content: Content) -> dict[str, Any]:
    return {"subject": content.title, "text": content.summary, "url": content.url}


_SHAPES: Final[dict[str, tuple[str, Callable[[Content], dict[str, Any]]]]] = {
    messages.NOTICE: ("notice", _notice),
    messages.BOOK: ("book.posted", _book),
}


def _release(content: Content) -> dict[str, Any]:
    return {
        "event_id": content.event_id,
        "headline": messages.headline(content),
        "old_date": _day(content.old_date),
        "days_before": content.days_before,
        "found_late": content.found_late,
        "unconfirmed": content.unconfirmed,
        "why": content.why,
        "audiobook": _audiobook(content),
    }


def _audiobook(content: Content) -> dict[str, Any]:
    return {
        "marketplace": content.marketplace,
        "asin": content.asin,
        "title": content.title,
        "subtitle": content.subtitle,
        "series": content.series,
        "authors": list(content.authors),
        "narrators": list(content.narrators),
        "language": content.language,
        "release_date": _day(content.release_date),
        "runtime_minutes": content.runtime_minutes,
        "cover_url": content.cover_url,
        "url": content.url,
        "summary": content.summary,
    }


def _day(date: dt.date | None) -> str | None:
    return date.isoformat() if date else None

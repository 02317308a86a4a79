"""Signed JSON to any address: Standard Webhooks 1.0 (docs/reference has the schema)."""

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

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


@dataclass(frozen=True, slots=True)
class Config:
    url: str
    secret: str


class Webhook(Channel[Config]):
    kind = "webhook"
    label = "Webhook"
    idempotent = True
    groups = 1
    fields = {
        "url": "where it is posted to",
        "secret": "what signs it; made if left out, and shown only in the answer to its creation",
    }
    secret_fields = frozenset({"secret"})

    def completed(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {"secret": new_secret(), **data}

    def parse_config(self, data: Mapping[str, Any]) -> Config:
        fields = text_fields(data, "url", "secret")
        _key(fields["secret"])
        return Config(checked_url(fields["url"]), fields["secret"])

    def destination(self, config: Config) -> str:
        return URL(config.url).raw_host or ""

    async def send(
        self, envelope: Envelope, config: Config, client: Client, now: dt.datetime
    ) -> Outcome:
        body = json.dumps(_body(envelope), ensure_ascii=False).encode()
        outcome, _ = await ask(
            client,
            config.url,
            headers=signed(envelope.wire_id, now, body, config.secret),
            body=body,
            now=now,
            secrets=[config.secret],
        )
        return outcome


def new_secret() -> str:
    """A fresh signing secret, in the spelling that receivers' libraries take."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signed(wire_id: str, now: dt.datetime, body: bytes, secret: str) -> dict[str, str]:
    """The headers of one attempt: the id stays over retries, moment and signature are new."""
    moment = str(int(now.timestamp()))
    digest = hmac.new(_key(secret), f"{wire_id}.{moment}.".encode() + body, hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "webhook-id": wire_id,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(digest.digest()).decode()}",
    }


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or len(key) not in KEY_SIZES:
        raise ConfigError({"secret": f"This must be {PREFIX} and 24 to 64 bytes in base64."})
    return key


def _body(envelope: Envelope) -> dict[str, Any]:
    (content,) = envelope.contents
    is_notice = content.kind == messages.NOTICE
    return {
        "type": messages.NOTICE if is_notice else f"release.{content.kind}",
        "version": VERSION,
        "timestamp": envelope.created_at.isoformat(),
        "data": _notice(content) if is_notice else _release(content),
    }


def _notice(content: Content) -> dict[str, Any]:
    return {"subject": content.title, "text": content.summary, "url": content.url}


def _release(content: Content) -> dict[str, Any]:
    return {
        "event_id": content.event_id,
        "headline": messages.headline(content),
        "old_date": _day(content.old_date),
        "found_late": content.found_late,
        "unconfirmed": content.unconfirmed,
        "why": content.why,
        "audiobook": {
            "marketplace": content.marketplace,
            "asin": content.asin,
            "title": content.title,
            "subtitle": content.subtitle,
            "series": content.series,
            "authors": content.authors,
            "narrators": content.narrators,
            "language": content.language,
            "release_date": _day(content.release_date),
            "runtime_minutes": content.runtime_minutes,
            "cover_url": content.cover_url,
            "url": content.url,
            "summary": content.summary,
        },
    }


def _day(date: dt.date | None) -> str | None:
    return date.isoformat() if date else None

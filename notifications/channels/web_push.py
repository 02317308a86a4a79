"""Notifications of a browser: RFC 8030 carries them, 8291 encrypts them, 8292 says who sends them.

pywebpush only encrypts and py-vapid only signs; like everything else they leave through `ask`.
"""

import base64
import binascii
import datetime as dt
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from py_vapid import Vapid02, VapidException
from pywebpush import WebPusher
from yarl import URL

from notifications import messages
from notifications.channels.base import (
    Channel,
    ConfigError,
    Envelope,
    Outcome,
    Verdict,
    ask,
    checked_url,
    text_fields,
)
from stalkerr.addresses import guard
from stalkerr.outbound import Client

PLAIN_MAX: Final = 3993  # bytes; encrypted it is the 4096 that every push service takes
TITLE_MAX: Final = 300  # characters, as are the others
TEXT_MAX: Final = 1500
TTL: Final = dt.timedelta(days=1)  # how long the push service waits for the browser
SIGNED_FOR: Final = dt.timedelta(hours=12)  # at most 24 h are allowed
TOPIC_SIZE: Final = 32  # characters, at most
AUTH_SIZE: Final = 16  # bytes
POINT_SIZE: Final = 65

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Config:
    endpoint: str
    p256dh: str
    auth: str


class WebPush(Channel[Config]):
    kind = "web_push"
    label = "Browser"
    idempotent = True  # a second copy has the first one's tag, and takes its place
    groups = 5
    fields = {
        "endpoint": "where the browser's push service takes messages",
        "p256dh": "the browser's key",
        "auth": "the browser's secret",
    }
    secret_fields = frozenset({"endpoint", "auth"})  # whoever has the one can post

    def parse_config(self, data: Mapping[str, Any]) -> Config:
        fields = text_fields(data, "endpoint", "p256dh", "auth")
        fields |= {name: fields[name].rstrip("=") for name in ("p256dh", "auth")}
        errors = {name: words for name, words in _errors(**fields).items() if words}
        if errors:
            raise ConfigError(errors)
        return Config(**fields)

    def public_facts(self) -> dict[str, str]:
        return {"application_server_key": application_server_key()}

    def destination(self, config: Config) -> str:
        # One subscription, not the push service: that one browser is gone says nothing of others.
        digest = hashlib.sha256(config.endpoint.encode()).hexdigest()
        return f"{URL(config.endpoint).raw_host}#{digest[:16]}"

    async def send(
        self, envelope: Envelope, config: Config, client: Client, now: dt.datetime
    ) -> Outcome:
        if not settings.VAPID_KEY:
            return Outcome(verdict=Verdict.NOT_ACCEPTED, detail="This server has no VAPID_KEY.")
        try:
            headers = _headers(envelope, config, now)
        except VapidException:  # an address that no push service has
            words = "This address can't be signed for."
            return Outcome(verdict=Verdict.NOT_ACCEPTED, detail=words, refusal=True)
        outcome, _ = await ask(
            client,
            config.endpoint,
            headers=headers,
            body=_encrypted(_payload(envelope), config),
            now=now,
            gone={HTTPStatus.NOT_FOUND, HTTPStatus.GONE},
            secrets=_secrets(config),
        )
        if outcome.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:  # a no to this message alone
            return outcome._replace(refusal=False)
        return outcome


def application_server_key() -> str:
    """What a browser must be given to subscribe; empty where the server has no VAPID_KEY."""
    if not settings.VAPID_KEY:
        return ""
    public = _signer(settings.VAPID_KEY).public_key
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


@lru_cache(maxsize=2)
def _signer(key: str) -> Any:
    return Vapid02.from_string(key)


def _errors(endpoint: str, p256dh: str, auth: str) -> dict[str, str]:
    """A sentence per field; empty where nothing is wrong with it."""
    return {
        "endpoint": _endpoint_error(endpoint),
        "p256dh": "" if _is_point(_bytes_of(p256dh)) else "This must be a P-256 key in base64url.",
        "auth": ""
        if len(_bytes_of(auth)) == AUTH_SIZE
        else f"This must be {AUTH_SIZE} bytes in base64url.",
    }


def _endpoint_error(endpoint: str) -> str:
    try:
        url = URL(checked_url(endpoint))
    except ConfigError as error:
        return error.errors["url"]
    host = url.raw_host or ""
    # py-vapid signs for no address with colons in it, and no push service has one.
    if (url.scheme == "https" or guard().vouches(host)) and ":" not in host:
        return ""
    return "This must be the https address that a browser gave for its subscription."


def _bytes_of(text: str) -> bytes:
    """What base64url `text` stands for; nothing where it is no such text."""
    if not _BASE64URL.fullmatch(text):
        return b""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return b""


def _is_point(key: bytes) -> bool:
    """Whether `key` is an uncompressed point of the curve: nothing else can be encrypted to."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    except ValueError:
        return False
    return len(key) == POINT_SIZE


def _headers(envelope: Envelope, config: Config, now: dt.datetime) -> dict[str, str]:
    claims = {
        "aud": str(URL(config.endpoint).origin()),
        "exp": int((now + SIGNED_FOR).timestamp()),
        "sub": settings.VAPID_CONTACT,
    }
    return {
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "aes128gcm",
        "TTL": str(int(TTL.total_seconds())),
        "Urgency": "normal",
        "Topic": hashlib.sha256(envelope.wire_id.encode()).hexdigest()[:TOPIC_SIZE],
        **_signer(settings.VAPID_KEY).sign(claims),
    }


def _encrypted(payload: bytes, config: Config) -> bytes:
    keys = {"p256dh": config.p256dh, "auth": config.auth}
    encoded = WebPusher({"endpoint": config.endpoint, "keys": keys}).encode(payload)
    return bytes(encoded["body"])


def _payload(envelope: Envelope) -> bytes:
    """What our service worker shows, as JSON in at most PLAIN_MAX bytes."""
    first, *others = envelope.contents
    fields = {
        "title": messages.cut(envelope.heading or messages.subject(envelope.contents), TITLE_MAX),
        "url": settings.PUBLIC_URL if others else first.url,
        "icon": first.cover_url,
        "tag": envelope.wire_id,
    }
    text = messages.cut(_text(envelope), TEXT_MAX)
    while len(payload := _json({**fields, "body": text})) > PLAIN_MAX:
        text = messages.cut(text, len(text) * 3 // 4)
    return payload


def _text(envelope: Envelope) -> str:
    first, *others = envelope.contents
    if others:
        return "\n".join(messages.headline(content) for content in envelope.contents)
    lines = (*messages.body_lines(first), messages.why_words(first))
    return "\n".join(line for line in lines if line)


def _json(fields: Mapping[str, str]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _secrets(config: Config) -> list[str]:
    """In any form in which an answer could repeat them."""
    url = URL(config.endpoint)
    parts = (config.endpoint, url.raw_path_qs, url.raw_path.rpartition("/")[2], config.auth)
    return [part for part in parts if len(part) > 1]

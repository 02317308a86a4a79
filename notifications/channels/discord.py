"""Embeds to a Discord webhook. It takes no idempotency key: a lost answer stays unclear."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from yarl import URL

from notifications import messages
from notifications.channels.base import (
    Channel,
    ConfigError,
    Envelope,
    Outcome,
    Pace,
    ask,
    checked_url,
    fields_of,
    is_at,
    text_fields,
    with_words,
)
from notifications.messages import Content
from stalkerr.outbound import Client

HOSTS: Final = frozenset({"discord.com", "discordapp.com", "canary.discord.com", "ptb.discord.com"})
TITLE_MAX: Final = 256
TEXT_MAX: Final = 4096
TOTAL_MAX: Final = 6000  # over all embeds of a message
FOOTER_MAX: Final = 200  # our own wish

_PATH: Final = re.compile(r"/api/(?:v\d+/)?webhooks/(\d+)/([\w-]+)", re.ASCII)
_MARKUP: Final = re.compile(r"[\\*_~`|<>\[\]]|^(?:[#+-]|\d+(?=\.))", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Config:
    url: str


class Discord(Channel[Config]):
    kind = "discord"
    label = "Discord"
    idempotent = False
    groups = 10
    fields = {"url": "the address of the webhook, from the channel's settings"}
    secret_fields = frozenset({"url"})  # whoever has it can post
    pace = Pace(30, 60)  # of one hook

    def parse_config(self, data: Mapping[str, Any]) -> Config:
        url = checked_url(**text_fields(data, "url"))
        if not is_at(url, HOSTS) or not _PATH.fullmatch(URL(url).path):
            raise ConfigError({"url": "This is not the address of a Discord webhook."})
        return Config(url)

    def destination(self, config: Config) -> str:
        return _hook(config)[0]

    async def send(
        self, envelope: Envelope, config: Config, client: Client, now: dt.datetime
    ) -> Outcome:
        outcome, said = await ask(
            client,
            str(URL(config.url).with_query(wait="true")),  # or it answers before it has stored
            body=_body(envelope),
            now=now,
            gone={HTTPStatus.NOT_FOUND, HTTPStatus.GONE},
            secrets=[_hook(config)[1]],
        )
        words = fields_of(said)  # its Retry-After is finer than the header's
        return with_words(outcome, now, remote_id=words.get("id"), wait=words.get("retry_after"))


def _hook(config: Config) -> tuple[str, str]:
    """Id and token."""
    found = _PATH.fullmatch(URL(config.url).path)
    return (found[1], found[2]) if found else ("", "")


def _body(envelope: Envelope) -> dict[str, Any]:
    share = TOTAL_MAX // len(envelope.contents)
    return {
        "content": escaped(envelope.heading, TITLE_MAX),
        "embeds": [_embed(content, share) for content in envelope.contents],
        "allowed_mentions": {"parse": []},
    }


def _embed(content: Content, share: int) -> dict[str, Any]:
    title = escaped(messages.headline(content), TITLE_MAX)
    footer = escaped(messages.why_words(content), FOOTER_MAX)
    left = share - _length(title) - _length(footer)
    embed: dict[str, Any] = {
        "title": title,
        "description": escaped("\n".join(messages.body_lines(content)), min(TEXT_MAX, left)),
    }
    if content.url:
        embed["url"] = content.url
    if content.cover_url:
        embed["thumbnail"] = {"url": content.cover_url}
    if footer:
        embed["footer"] = {"text": footer}
    return embed


def escaped(text: str, limit: int) -> str:
    """`text` with Discord's markup made plain, in at most `limit` UTF-16 units."""
    marked = _MARKUP.sub(lambda found: _plain(found[0]), text)
    if _length(marked) <= limit:
        return marked
    start = marked.encode("utf-16-le")[: 2 * (limit - 1)].decode("utf-16-le", errors="ignore")
    return start.rstrip("\\") + "…"


def _plain(mark: str) -> str:
    return mark + "\\" if mark.isdigit() else "\\" + mark


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2

"""Blocks to a Slack incoming webhook (docs.slack.dev: Sending messages using incoming webhooks).

Escaping & < > is all that Slack knows: a mention or a link can't be made without them, and for
`*bold*` it has no escape. No covers: a picture it can't fetch would cost the whole message.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import Any, Final

from yarl import URL

from notifications import messages, texts
from notifications.channels.base import (
    Channel,
    ConfigError,
    Envelope,
    Outcome,
    Pace,
    ask,
    checked_url,
    is_at,
    text_fields,
    with_words,
)
from notifications.messages import Content
from stalkerr.outbound import Client

HOSTS: Final = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
SECTION_MAX: Final = 3000  # of one block's text
TOTAL_MAX: Final = 12_000  # over all blocks; above some 13,000 Slack finds a message too long
LINE_MAX: Final = 1000  # our own wish, for the heading and what notifications show
MARKUP: Final = 20  # what we put around a passage's texts
GONE_WORDS: Final = frozenset({b"invalid_token", b"no_team", b"team_disabled"})

_PATH: Final = re.compile(r"/services/(T\w+/B\w+)/(\w+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Config:
    url: str


class Slack(Channel[Config]):
    kind = "slack"
    label = "Slack"
    idempotent = False
    groups = 10
    fields = {"url": "the address of the incoming webhook"}
    secret_fields = frozenset({"url"})  # whoever has it can post
    pace = Pace(1, 1)  # of one hook

    def parse_config(self, data: Mapping[str, Any]) -> Config:
        url = checked_url(**text_fields(data, "url"))
        if not is_at(url, HOSTS) or not _PATH.fullmatch(URL(url).path):
            raise ConfigError({"url": "This is not the address of a Slack incoming webhook."})
        return Config(url)

    def destination(self, config: Config) -> str:
        return _hook(config)[0]

    async def send(
        self, envelope: Envelope, config: Config, client: Client, now: dt.datetime
    ) -> Outcome:
        outcome, said = await ask(
            client,
            config.url,
            body=_body(envelope),
            now=now,
            gone={HTTPStatus.NOT_FOUND, HTTPStatus.GONE},
            secrets=[_hook(config)[1]],
        )
        return with_words(outcome, now, gone=said.strip() in GONE_WORDS)


def _hook(config: Config) -> tuple[str, str]:
    """Its public part and its secret."""
    found = _PATH.fullmatch(URL(config.url).path)
    return (found[1], found[2]) if found else ("", "")


def _body(envelope: Envelope) -> dict[str, Any]:
    heading = texts.fit(envelope.heading, LINE_MAX, _length)
    room = min(SECTION_MAX, (TOTAL_MAX - LINE_MAX) // len(envelope.contents))
    sections = [_section(content, room) for content in envelope.contents]
    title = envelope.heading or messages.subject(envelope.contents)
    return {
        "text": _escaped(texts.fit(title, LINE_MAX, _length)),  # what notifications show
        "blocks": [_block(f"*{_escaped(heading)}*"), *sections] if heading else sections,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _section(content: Content, room: int) -> dict[str, Any]:
    (part,) = texts.passages((content,), room - MARKUP, _length)
    head = _escaped(part.head)
    lines = (
        f"*<{_escaped(part.url)}|{head}>*" if part.url else f"*{head}*",
        _escaped(part.text),
        f"_{_escaped(part.why)}_" if part.why else "",
    )
    return _block("\n".join(line for line in lines if line))


def _block(text: str) -> dict[str, Any]:
    # Verbatim: what looks like an address or a name in it is not made into a link.
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _escaped(text: str) -> str:
    return escape(text, quote=False)


def _length(text: str) -> int:
    return texts.utf16(_escaped(text))

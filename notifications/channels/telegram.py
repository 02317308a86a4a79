"""HTML to a chat by a Telegram bot (core.telegram.org/bots/api: sendMessage; bots/faq: limits).

No idempotency key: a lost answer stays unclear. Text may have 4,096 characters after its markup
is taken away. A wait comes in the body (`parameters.retry_after`).
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from notifications import texts
from notifications.channels.base import (
    Channel,
    Envelope,
    Outcome,
    Pace,
    ask,
    check_forms,
    fields_of,
    server_url,
    text_fields,
    with_words,
)
from stalkerr.outbound import Client

HOST: Final = "api.telegram.org"
TEXT_MAX: Final = 4096
HEADING_MAX: Final = 300  # our own wish
GROUP_PACE: Final = Pace(20, 60)
BOT_PACE: Final = Pace(30, 1)  # over all its chats
GONE_WORDS: Final = (
    *("chat not found", "bot was blocked by the user", "bot was kicked", "user is deactivated"),
    *("group chat was upgraded", "group is deactivated", "the group chat was deleted"),
)

_TOKEN: Final = re.compile(r"\d{3,20}:[\w-]{20,100}", re.ASCII)
_CHAT: Final = re.compile(r"-?\d{1,20}|@[a-z]\w{3,31}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Config:
    token: str
    chat_id: str
    url: str


class Telegram(Channel[Config]):
    kind = "telegram"
    label = "Telegram"
    idempotent = False
    groups = 10
    fields = {
        "token": "the bot's, from @BotFather",
        "chat_id": "a number, or @ and the name of a public channel",
        "url": "optional: a Bot API server of the operator's own",
    }
    secret_fields = frozenset({"token"})
    pace = Pace(1, 1)  # of one chat

    def parse_config(self, data: Mapping[str, Any]) -> Config:
        fields = text_fields(data, "token", "chat_id", url=f"https://{HOST}")
        check_forms(
            fields,
            token=(_TOKEN, "This is not a bot's token: a number, a colon, and letters."),
            chat_id=(_CHAT, "This must be a number, or @ and a name."),
        )
        return Config(fields["token"], fields["chat_id"], server_url(fields["url"], HOST))

    def destination(self, config: Config) -> str:
        return f"{_bot(config)} {config.chat_id}"

    def paces(self, config: Config) -> dict[str, Pace]:
        chat = self.destination(config)
        is_group = config.chat_id.startswith(("-", "@"))
        group = {f"{chat} by the minute": GROUP_PACE} if is_group else {}
        return {chat: self.pace, _bot(config): BOT_PACE, **group}

    async def send(
        self, envelope: Envelope, config: Config, client: Client, now: dt.datetime
    ) -> Outcome:
        outcome, said = await ask(
            client,
            f"{config.url}/bot{config.token}/sendMessage",
            body={"chat_id": config.chat_id, "parse_mode": "HTML", **_message(envelope)},
            now=now,
            secrets=[config.token, config.token.partition(":")[2]],
        )
        return _judged(outcome, fields_of(said), now)


def _bot(config: Config) -> str:
    """The bot's number, which is no secret."""
    return config.token.partition(":")[0]


def _judged(outcome: Outcome, said: Mapping[str, Any], now: dt.datetime) -> Outcome:
    result, parameters = said.get("result"), said.get("parameters")
    words = str(said.get("description", "")).lower()
    return with_words(
        outcome,
        now,
        remote_id=result.get("message_id") if isinstance(result, dict) else "",
        wait=parameters.get("retry_after") if isinstance(parameters, dict) else "",
        gone=any(each in words for each in GONE_WORDS),
    )


def _message(envelope: Envelope) -> dict[str, Any]:
    heading = texts.fit(envelope.heading, HEADING_MAX, _length)
    parts = texts.passages(envelope.contents, TEXT_MAX - HEADING_MAX, _length)
    top = [f"<b>{_escaped(heading)}</b>"] if heading else []
    cover = envelope.contents[0].cover_url if len(parts) == 1 else ""
    preview = {"url": cover, "prefer_small_media": True} if cover else {"is_disabled": True}
    return {
        "text": "\n\n".join([*top, *(part.marked(_escaped) for part in parts)]),
        "link_preview_options": preview,
    }


def _escaped(text: str) -> str:
    return escape(_unmentioned(text))


def _unmentioned(text: str) -> str:
    """With something invisible behind every @, or a title could call members of the chat."""
    return text.replace("@", "@\u2060")


def _length(text: str) -> int:
    return texts.utf16(_unmentioned(text))

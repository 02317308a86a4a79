"""Plain text to Pushover (pushover.net/api). No idempotency key: a lost answer stays unclear.

A 429 means that the month's messages are used up; the wait for a new month is ours.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

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

HOST: Final = "api.pushover.net"
TITLE_MAX: Final = 250
TEXT_MAX: Final = 1024
LINK_WORDS: Final = "Open in the store"  # at most 100; the link itself may have 512

_KEY: Final = re.compile(r"[A-Za-z0-9]{30}")
_DEVICE: Final = re.compile(r"([\w-]{1,25}(,[\w-]{1,25})*)?", re.ASCII)
_PRIORITY: Final = re.compile(r"-[12]|[01]")  # 2 would ring until somebody confirms it


@dataclass(frozen=True, slots=True)
class Config:
    token: str
    user: str
    device: str
    priority: str
    url: str


class Pushover(Channel[Config]):
    kind = "pushover"
    label = "Pushover"
    idempotent = False
    groups = 3  # 1,024 characters are soon full
    fields = {
        "token": "of your application there",
        "user": "your user key or group key",
        "device": "optional: names of devices, else all",
        "priority": "optional: -2 to 1, else 0",
        "url": "optional: a relay of the operator's own",
    }
    secret_fields = frozenset({"token", "user"})
    pace = Pace(2, 1)  # of all of it: it asks for two connections at most

    def parse_config(self, data: Mapping[str, Any]) -> Config:
        fields = text_fields(data, "token", "user", device="", priority="0", url=f"https://{HOST}")
        check_forms(
            fields,
            token=(_KEY, "An application's token has 30 letters and digits."),
            user=(_KEY, "A user or group key has 30 letters and digits."),
            device=(_DEVICE, "These must be names of devices, with commas between."),
            priority=(_PRIORITY, "This must be -2, -1, 0 or 1."),
        )
        return Config(**fields | {"url": server_url(fields["url"], HOST)})

    def destination(self, config: Config) -> str:
        return hashlib.sha256(config.user.encode()).hexdigest()[:16]

    def paces(self, config: Config) -> dict[str, Pace]:
        return {HOST: self.pace}

    async def send(
        self, envelope: Envelope, config: Config, client: Client, now: dt.datetime
    ) -> Outcome:
        outcome, said = await ask(
            client,
            f"{config.url}/1/messages.json",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(_form(envelope, config)).encode(),
            now=now,
            secrets=[config.token, config.user],
        )
        words = fields_of(said)
        is_gone = "invalid" in (words.get("user"), words.get("token"))
        return with_words(outcome, now, remote_id=words.get("request"), gone=is_gone)


def _form(envelope: Envelope, config: Config) -> dict[str, str]:
    # Neither html nor monospace is asked for: so nothing in the text is markup.
    letter = texts.letter(envelope.contents, envelope.heading, TEXT_MAX)
    form = {
        "token": config.token,
        "user": config.user,
        "device": config.device,
        "priority": config.priority,
        "title": texts.fit(letter.title, TITLE_MAX),
        "message": letter.text,
        "url": letter.url,
        "url_title": LINK_WORDS if letter.url else "",
    }
    return {name: text for name, text in form.items() if text}

"""Plain text to a Gotify server (gotify.net/docs/pushmsg, msgextras). Its words have no limits
worth keeping. No idempotency key: a lost answer stays unclear.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from yarl import URL

from notifications import texts
from notifications.channels.base import (
    Channel,
    Envelope,
    Outcome,
    ask,
    check_forms,
    fields_of,
    server_url,
    text_fields,
    with_words,
)
from stalkerr.outbound import Client

TEXT_MAX: Final = 32_000  # our own wish
PRIORITY: Final = 5  # from 4 on its app makes a sound, from 8 on it pops up

_TOKEN: Final = re.compile(r"[\w.-]{8,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Config:
    url: str
    token: str


class Gotify(Channel[Config]):
    kind = "gotify"
    label = "Gotify"
    idempotent = False
    groups = 20
    fields = {"url": "the server", "token": "of an application there"}
    secret_fields = frozenset({"token"})

    def parse_config(self, data: Mapping[str, Any]) -> Config:
        fields = text_fields(data, "url", "token")
        check_forms(fields, token=(_TOKEN, "This is not the token of an application."))
        return Config(server_url(fields["url"]), fields["token"])

    def destination(self, config: Config) -> str:
        return URL(config.url).raw_host or ""

    async def send(
        self, envelope: Envelope, config: Config, client: Client, now: dt.datetime
    ) -> Outcome:
        outcome, said = await ask(
            client,
            f"{config.url}/message",
            headers={"X-Gotify-Key": config.token},  # in the address it would be logged
            body=_message(envelope),
            now=now,
            secrets=[config.token],
        )
        return with_words(outcome, now, remote_id=fields_of(said).get("id"))


def _message(envelope: Envelope) -> dict[str, Any]:
    letter = texts.letter(envelope.contents, envelope.heading, TEXT_MAX)
    extras: dict[str, Any] = {"client::display": {"contentType": "text/plain"}}
    if letter.url:
        extras["client::notification"] = {"click": {"url": letter.url}}
    return {
        "title": letter.title,
        "message": letter.text,
        "priority": PRIORITY,
        "extras": extras,
    }

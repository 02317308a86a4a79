"""Plain text to a topic of ntfy (docs.ntfy.sh/publish: Publish as JSON, Updating notifications).

`sequence_id` is the wire id (servers from 2.16; letters, digits, - and _, 64 at most): its apps
show a second copy in the place of the first. Older servers pass over it: there a lost answer can
be seen twice.
"""

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from yarl import URL

from notifications import texts
from notifications.channels.base import (
    Channel,
    ConfigError,
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

TEXT_MAX: Final = 4096  # bytes; what is longer becomes a file. All of the JSON may have twice that
TITLE_MAX: Final = 500  # bytes; our own wish
PRIORITY: Final = 3  # the usual one of 1 to 5
TAGS: Final = ("headphones",)  # is shown as one

_TOPIC: Final = re.compile(r"[-\w]{1,64}", re.ASCII)
_TOKEN: Final = re.compile(r"(\w{8,128})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Config:
    topic: str
    token: str
    url: str


class Ntfy(Channel[Config]):
    kind = "ntfy"
    label = "ntfy"
    idempotent = True
    groups = 10
    fields = {
        "topic": "its name; whoever knows that of an open one can read it",
        "token": "optional: an access token, for topics that are not open",
        "url": "optional: your own server, else https://ntfy.sh",
    }
    secret_fields = frozenset({"topic", "token"})
    pace = Pace(60, 300)  # of one server: by its defaults 60 at once, then one in 5 s

    def parse_config(self, data: Mapping[str, Any]) -> Config:
        fields = text_fields(data, "topic", token="", url="https://ntfy.sh")
        check_forms(
            fields,
            topic=(_TOPIC, "A topic has 64 letters, digits, - and _ at most."),
            token=(_TOKEN, "This is not an access token (tk_ and letters)."),
        )
        url = server_url(fields["url"])
        if URL(url).path not in ("", "/"):
            raise ConfigError({"url": "This must be the server alone; name the topic beside it."})
        return Config(fields["topic"], fields["token"], url)

    def destination(self, config: Config) -> str:
        return URL(config.url).raw_host or ""

    async def send(
        self, envelope: Envelope, config: Config, client: Client, now: dt.datetime
    ) -> Outcome:
        outcome, said = await ask(
            client,
            config.url,
            headers={"Authorization": f"Bearer {config.token}"} if config.token else {},
            body={"topic": config.topic, **_message(envelope)},
            now=now,
            secrets=[config.topic, config.token],
        )
        return with_words(outcome, now, remote_id=fields_of(said).get("id"))


def _message(envelope: Envelope) -> dict[str, Any]:
    letter = texts.letter(envelope.contents, envelope.heading, TEXT_MAX, _length)
    message = {
        "sequence_id": envelope.wire_id,
        "title": texts.fit(letter.title, TITLE_MAX, _length),
        "message": letter.text,
        "priority": PRIORITY,
        "tags": TAGS,
        "click": letter.url,
        "icon": envelope.contents[0].cover_url if len(envelope.contents) == 1 else "",
    }
    return {name: value for name, value in message.items() if value}


def _length(text: str) -> int:
    """Bytes in JSON, where some take two: so the limit of all of it is kept as well."""
    return len(json.dumps(text, ensure_ascii=False).encode()) - len('""')

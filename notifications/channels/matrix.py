"""Notices to a Matrix room (spec.matrix.org: Client-Server API, from v1.3).

The transaction id is the wire id: the homeserver takes a second copy for the first. An event has
65,536 bytes at most, with what servers add to it. A wait may come in the body only
(`retry_after_ms`). Rooms where messages are encrypted show ours as not encrypted.
"""

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final
from urllib.parse import quote

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

TEXT_MAX: Final = 24_000  # bytes in JSON, of the page and of the plain text each
MARKUP: Final = 100  # bytes that we put around a passage's texts, at most
HEADING_MAX: Final = 1000  # bytes; our own wish

_TOKEN: Final = re.compile(r"[!-~]{8,1500}")
_ROOM: Final = re.compile(r"![!-.0-~]{1,254}")


@dataclass(frozen=True, slots=True)
class Config:
    url: str
    token: str
    room_id: str


class Matrix(Channel[Config]):
    kind = "matrix"
    label = "Matrix"
    idempotent = True
    groups = 20
    fields = {
        "url": "the homeserver",
        "token": "an access token of the account that posts",
        "room_id": "the room's internal id, which begins with !",
    }
    secret_fields = frozenset({"token"})

    def parse_config(self, data: Mapping[str, Any]) -> Config:
        fields = text_fields(data, "url", "token", "room_id")
        check_forms(
            fields,
            token=(_TOKEN, "This is not an access token."),
            room_id=(_ROOM, "This must be the room's internal id, which begins with !."),
        )
        return Config(server_url(fields["url"]), fields["token"], fields["room_id"])

    def destination(self, config: Config) -> str:
        return URL(config.url).raw_host or ""

    async def send(
        self, envelope: Envelope, config: Config, client: Client, now: dt.datetime
    ) -> Outcome:
        room = f"{config.url}/_matrix/client/v3/rooms/{quote(config.room_id, safe='')}"
        outcome, said = await ask(
            client,
            f"{room}/send/m.room.message/{envelope.wire_id}",
            headers={"Authorization": f"Bearer {config.token}"},
            body=_event(envelope),
            now=now,
            secrets=[config.token],
            method="PUT",
        )
        words = fields_of(said)
        return with_words(
            outcome,
            now,
            remote_id=words.get("event_id"),
            wait=f"{words.get('retry_after_ms')}e-3",
            gone=words.get("errcode") == "M_USER_DEACTIVATED",
        )


def _event(envelope: Envelope) -> dict[str, Any]:
    room = TEXT_MAX - HEADING_MAX - MARKUP * len(envelope.contents)
    parts = texts.passages(envelope.contents, room, _length)
    heading = texts.fit(envelope.heading, HEADING_MAX, _length)
    page = [f"<h4>{escape(heading)}</h4>"] if heading else []
    plain = [heading] if heading else []
    return {
        "msgtype": "m.notice",
        "body": "\n\n".join([*plain, *(part.joined() for part in parts)]),
        "format": "org.matrix.custom.html",
        "formatted_body": "".join([*page, *(f"<p>{_broken(part.marked())}</p>" for part in parts)]),
        "m.mentions": {},  # nobody is called, whatever the text holds
    }


def _broken(text: str) -> str:
    return text.replace("\n", "<br>")


def _length(text: str) -> int:
    """Bytes in JSON, of the page: its escapes are longer than those of the plain text."""
    return len(json.dumps(_broken(escape(text)), ensure_ascii=False).encode())

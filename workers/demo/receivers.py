"""Those who are told: a mailbox, a webhook and a Discord on 127.0.0.1 that keep what arrives."""

import asyncio
import base64
import hmac
import json
import re
import secrets
import threading
import time
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

_KINDS = {
    "New": "announced",
    "Moved": "date_moved",
    "Out now": "out_now",
    "Withdrawn": "withdrawn",
    "Back again": "restored",
    "Changed": "detail_changed",
}
_FRESH = 300  # seconds that a signature may be old
_BODY_MAX = 1_000_000  # bytes


@dataclass(frozen=True, slots=True)
class News:
    """What was told to whom."""

    channel: str
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """When it was heard, by this process's monotonic clock."""

    news: News
    at: float


class Receivers:
    """All three, served from a thread; each message is also kept in `folder` as it came."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        self.arrivals: list[Arrival] = []
        self.links: list[str] = []  # in mails that ask to confirm an address: they are no news
        self.rejected = 0  # not signed with our secret
        self._messages = 0
        self._loop = asyncio.new_event_loop()
        self._open = AsyncExitStack()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._await(self._listen())
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._await(self._open.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def _await(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        app = web.Application(client_max_size=_BODY_MAX)
        app.router.add_post("/webhook", self._take_webhook)
        app.router.add_post("/api/webhooks/{hook}/{token}", self._take_discord)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._open.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        mailbox = await self._loop.create_server(
            lambda: SMTP(self, hostname="mailbox", enable_SMTPUTF8=True), "127.0.0.1", 0
        )
        self._open.callback(mailbox.close)
        self.smtp_url = f"smtp://127.0.0.1:{mailbox.sockets[0].getsockname()[1]}"
        self.http_url = f"http://127.0.0.1:{runner.addresses[0][1]}"

    @property
    def webhook_url(self) -> str:
        return f"{self.http_url}/webhook"

    @property
    def discord_url(self) -> str:
        return f"{self.http_url}/api/webhooks/20260101/demo-token"

    async def handle_DATA(  # noqa: N802 (aiosmtpd's name)
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content or b""
        data = content if isinstance(content, bytes) else content.encode()
        self._keep("email.eml", data)
        if link := read_link(data):
            self.links.append(link)
        else:
            self._hear("email", read_mail(data))
        return "250 OK"

    async def _take_webhook(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not is_signed(request.headers, body, self.secret, now=time.time()):
            self.rejected += 1
            return web.Response(status=401, text="This is not signed with our secret.")
        self._keep("webhook.json", body)
        self._hear("webhook", [read_webhook(body)])
        return web.Response(status=204)

    async def _take_discord(self, request: web.Request) -> web.Response:
        body = await request.read()
        self._keep("discord.json", body)
        titles = [re.sub(r"\\(.)", r"\1", each["title"]) for each in json.loads(body)["embeds"]]
        self._hear("discord", [read_headline(title) for title in titles])
        return web.json_response({"id": str(self._messages)})

    def _keep(self, name: str, data: bytes) -> None:
        self._messages += 1
        (self.folder / f"{self._messages:02d}-{name}").write_bytes(data)

    def _hear(self, channel: str, told: list[tuple[str, str]]) -> None:
        at = time.monotonic()
        self.arrivals += [Arrival(News(channel, kind, title), at) for kind, title in told]


def read_webhook(body: bytes) -> tuple[str, str]:
    """Kind and title; of a message of the system itself its subject."""
    said = json.loads(body)
    book = said["data"].get("audiobook", {})
    return said["type"].removeprefix("release."), book.get("title") or said["data"]["subject"]


def read_link(data: bytes) -> str:
    """The link by which a mail asks to confirm an address; empty where it does not."""
    found = re.search(r"^http\S+/confirm/\S+$", _text(data), re.MULTILINE)
    return found[0] if found else ""


def read_mail(data: bytes) -> list[tuple[str, str]]:
    """Kind and title of each piece of news in a mail: its paragraphs begin with a headline."""
    text = _text(data).partition("\n\n-- \n")[0]  # below stands how to stop them
    return [read_headline(paragraph.partition("\n")[0]) for paragraph in text.split("\n\n")]


def _text(data: bytes) -> str:
    body = message_from_bytes(data, policy=policy.default).get_body(("plain",))
    return "\n".join(body.get_content().strip().splitlines()) if body else ""


def read_headline(line: str) -> tuple[str, str]:
    """Kind and title: "Moved from 3 March 2027 to 9 June 2027: The Tide" is a date that moved."""
    words, _, title = line.partition(": ")
    found = [kind for start, kind in _KINDS.items() if words.startswith(start)]
    return (found[0], title) if found and title else ("notice", line)


def is_signed(headers: Mapping[str, str], body: bytes, secret: str, *, now: float) -> bool:
    """Whether the body was lately signed with the secret, by the rules of Standard Webhooks."""
    wire_id, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (wire_id and moment.isdecimal() and abs(now - int(moment)) < _FRESH):
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{wire_id}.{moment}.".encode() + body, "sha256")
    ours = f"v1,{base64.b64encode(digest).decode()}"
    theirs = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(ours, each) for each in theirs)

"""Services that have no kind of their own, through Apprise, in a cage.

Apprise opens its own connections, follows what a URL tells it, and says only yes or no. So it runs
in a process of its own (notifications/cage.py) that is killed when its time is up, whose only way
out is a proxy to the hosts of the one service (stalkerr/vetting_proxy.py), and which notes what
came of each request. The proxy's counts have the last word on whether anything can have arrived.
"""

import asyncio
import contextlib
import datetime as dt
import json
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from django.conf import settings
from django.utils.crypto import salted_hmac

from notifications import cage, messages
from notifications.apprise_services import OWN_KINDS, SERVICES
from notifications.channels.base import (
    DETAIL_MAX,
    Channel,
    ConfigError,
    Envelope,
    Outcome,
    Pace,
    Verdict,
    answered,
    fields_of,
    text_fields,
)
from notifications.messages import Content
from stalkerr.addresses import RefusedAddressError, Resolve
from stalkerr.outbound import Answer, Client
from stalkerr.vetting_proxy import TLS_PORT, VettingProxy

URL_MAX: Final = 2000
REPORT_MAX: Final = 64 * 1024  # bytes
CHILDREN_MAX: Final = 4  # at once in a process of ours; each needs half a second and 60 MB
SECRET_MIN: Final = 3  # characters; shorter parts of a URL hide nothing and are everywhere

_PROGRAM: Final = (sys.executable, "-I", "-B", str(Path(cage.__file__)))
_URL: Final = re.compile(r"([a-z0-9]+)://([!-~]+)", re.IGNORECASE)
_CALLS: Final = re.compile(r"@(?=\w)")  # @everyone
_LINKS: Final = re.compile(r"\](?=\()")  # [text](address)

Plan = Sequence[tuple[str, str]]  # title and body of each message

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Config:
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the child says of its send."""

    understood: bool
    accepted: bool
    exchanges: tuple[Mapping[str, Any], ...]  # requests that can have left
    said: str  # Apprise's complaints, without any part of the URL


class Apprise(Channel[Config]):
    kind = "apprise"
    label = "Apprise"
    idempotent = False
    groups = 5
    fields = {"url": "an Apprise URL, of a service whose address is fixed: pbul://…"}
    secret_fields = frozenset({"url"})
    pace = Pace(20, 60)  # our own wish: each costs a process

    def parse_config(self, data: Mapping[str, Any]) -> Config:
        url = text_fields(data, "url")["url"]
        found = _URL.fullmatch(url)
        if not found or len(url) > URL_MAX:
            raise ConfigError({"url": "This is not an Apprise URL: pbul://… for example."})
        scheme = found[1].lower()
        if scheme in OWN_KINDS:
            words = f"There is a kind of channel for this: add one of the kind {OWN_KINDS[scheme]}."
            raise ConfigError({"url": words})
        if scheme not in SERVICES:
            words = "Only services with a fixed address can be used, and this is none we know."
            raise ConfigError({"url": f"{words} Another kind of channel may take you there."})
        return Config(f"{scheme}://{found[2]}")

    def destination(self, config: Config) -> str:
        digest = salted_hmac("notifications.apprise", config.url, algorithm="sha256").hexdigest()
        return f"{_scheme(config)}#{digest[:16]}"

    async def send(
        self, envelope: Envelope, config: Config, client: Client, now: dt.datetime
    ) -> Outcome:
        service = SERVICES[_scheme(config)]
        resolve, port, ca = _way(client)
        proxy = VettingProxy(service.hosts, resolve, port=port)
        report: Report | None = None
        # One limit for all of it, the wait for a turn included: the claim on the message is short.
        limit = settings.OUTBOUND_TIMEOUT.total_seconds()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit), _turn(), proxy:
                order = {
                    "module": service.module,
                    "scheme": _scheme(config),
                    "url": config.url,
                    "plans": _plans(envelope),
                    "proxy": proxy.url,
                    "gate": proxy.port,
                    "ca": ca,
                    "seconds": int(limit) + 1,
                    "parent": os.getpid(),
                }
                report = _read(await _carried_out(order), config)
        return _judged(report, proxy, now)


def _scheme(config: Config) -> str:
    return config.url.partition(":")[0]


def _way(client: Client) -> tuple[Resolve, int, str]:
    """How names are looked up, where services listen, whose certificates count.

    Only tests have a detour: an address, a port, and a file of certificates.
    """
    detour: tuple[str, int, str] | None = getattr(settings, "APPRISE_DETOUR", None)
    if detour is None:
        return client.resolve, TLS_PORT, ""
    address, port, ca = detour

    async def resolve(_host: str) -> list[str]:
        return [address]

    return resolve, port, ca


@contextlib.asynccontextmanager
async def _turn() -> AsyncGenerator[None]:
    """One of the CHILDREN_MAX places that an event loop has."""
    loop = asyncio.get_running_loop()
    async with _turns.setdefault(loop, asyncio.Semaphore(CHILDREN_MAX)):
        yield


# -- the child --------------------------------------------------------------------------------


async def _carried_out(order: Mapping[str, Any]) -> bytes:
    """The report of a child, in bytes; whatever happens, the child is gone afterwards."""
    child = await asyncio.create_subprocess_exec(
        *_PROGRAM,
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        limit=REPORT_MAX,
        cwd="/",
        env={"HOME": "/nonexistent"},  # no settings, no netrc, no secrets of ours
        start_new_session=True,
    )
    try:
        return await _talk(child, json.dumps(order).encode())
    finally:
        with contextlib.suppress(ProcessLookupError):
            if child.returncode is None:
                os.killpg(child.pid, signal.SIGKILL)
        await child.communicate()


async def _talk(child: Process, order: bytes) -> bytes:
    if not child.stdin or not child.stdout:  # both are pipes
        return b""
    with contextlib.suppress(ConnectionError):
        child.stdin.write(order)
        await child.stdin.drain()
    child.stdin.close()
    try:
        return await child.stdout.readline()
    except ValueError:  # longer than any report
        return b""


def _read(report: bytes, config: Config) -> Report | None:
    """What a child said; None where it died before it could."""
    said = fields_of(report)
    if not said:
        return None
    return Report(
        understood=bool(said["understood"]),
        accepted=bool(said["accepted"]),
        exchanges=tuple(exchange for exchange in said["exchanges"] if exchange["sent"]),
        said=messages.one_line(_without_secrets(str(said["said"]), config), DETAIL_MAX),
    )


def _without_secrets(text: str, config: Config) -> str:
    """`text` without any part of the URL, as it is there or decoded."""
    given = config.url.partition("://")[2]
    parts = {given, unquote(given)}
    parts |= {part for form in tuple(parts) for part in re.split(r"[^\w.~+-]+", form)}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= SECRET_MIN:
            text = text.replace(part, "***")
    return text


# -- the verdict ------------------------------------------------------------------------------


def _judged(report: Report | None, proxy: VettingProxy, now: dt.datetime) -> Outcome:
    """What the report and the proxy's counts come to."""
    if not proxy.down:
        # No server said a word: there was no secure connection, so nothing was sent over one.
        return _not_sent(report, proxy)
    if report is None:
        return Outcome(verdict=Verdict.AMBIGUOUS, detail="It may have been sent; no answer came.")
    if not report.exchanges:
        return _not_sent(report, proxy)
    statuses = [exchange.get("status") for exchange in report.exchanges]
    if report.accepted:
        return Outcome(verdict=Verdict.ACCEPTED, status=statuses[-1], detail=report.said)
    if not all(exchange["complete"] for exchange in report.exchanges) or any(
        status in range(200, 300) for status in statuses
    ):
        # An answer is missing, or there is a yes among them: some of it may have arrived.
        return Outcome(verdict=Verdict.AMBIGUOUS, status=statuses[-1], detail=_words(report))
    return _refused(report, now)


def _not_sent(report: Report | None, proxy: VettingProxy) -> Outcome:
    if report and not report.understood:
        words = f"Apprise does not understand this URL. {report.said}".strip()
        return Outcome(verdict=Verdict.NOT_ACCEPTED, detail=words, refusal=True)
    words = str(proxy.error or "") or (report and report.said) or "Nothing was sent in time."
    return Outcome(
        verdict=Verdict.NOT_ACCEPTED,
        detail=words,
        refusal=isinstance(proxy.error, RefusedAddressError),
        costs_try=bool(proxy.url),  # without a turn nobody was asked
    )


def _refused(report: Report, now: dt.datetime) -> Outcome:
    """Every answer was a no: the last one counts."""
    last = report.exchanges[-1]
    gone = all(exchange["status"] == HTTPStatus.GONE for exchange in report.exchanges)
    headers = {"Retry-After": last["retry_after"]} if last["retry_after"] else {}
    answer = Answer(last["status"], headers, _words(report).encode(), complete=True)
    return answered(answer, now, gone={HTTPStatus.GONE} if gone else (), secrets=())


def _words(report: Report) -> str:
    return report.said or "Apprise says no more than that it failed."


# -- the text ---------------------------------------------------------------------------------


def _plans(envelope: Envelope) -> list[Plan]:
    """Ways to say it, the fullest first: the child takes the first that its service has room for."""
    title = _plain(envelope.heading or messages.subject(envelope.contents))
    return [
        [(title, "\n\n".join(_whole(content, envelope) for content in envelope.contents))],
        [(title, "\n".join(_brief(content) for content in envelope.contents))],
        [("", _brief(content)) for content in envelope.contents],
    ]


def _whole(content: Content, envelope: Envelope) -> str:
    is_alone = len(envelope.contents) == 1 and not envelope.heading
    return _joined(
        "" if is_alone else messages.headline(content),
        *messages.body_lines(content),
        messages.why_words(content),
        link=content.url,
    )


def _brief(content: Content) -> str:
    return _joined(messages.headline(content), link=content.url)


def _joined(*lines: str, link: str) -> str:
    return "\n".join([_plain(line) for line in lines if line] + ([link] if link else []))


def _plain(text: str) -> str:
    """`text` that calls nobody and links to nothing, whatever markup the service reads."""
    return _LINKS.sub("] ", _CALLS.sub("@\u200b", text))

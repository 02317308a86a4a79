"""The drill on the way out: every trick we know of, over every kind of channel that has a URL."""

import asyncio
import dataclasses
import datetime as dt
import importlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Final

from django.test import override_settings

from notifications.channels import registry
from notifications.channels.base import Channel, ConfigError
from stalkerr.outbound import Client, Resolve
from tests.contract.channels import Harness, envelope_of
from tests.hostile import BAD_URLS, HOSTS, PRIVATE_URLS
from tests.names import NameServer, Zone
from tests.sinks import HttpSink, RawSink, Reply
from tests.watchman import WATCHMAN

MARK: Final = "http://127.0.0.1:1"  # what a hostile URL takes the place of in a configuration
PUBLIC: Final = "93.184.215.14"  # never contacted: the watchman stops it
REDIRECTS: Final = (301, 302, 303, 307, 308)
ZONES: Final[dict[str, Zone]] = {
    "rebound.example": lambda number: [("A", "127.0.0.1" if number % 2 else PUBLIC)],
    "mixed.example": lambda _number: [("A", PUBLIC), ("AAAA", "::1")],
    "alias.example": lambda _number: [("CNAME", "inner.example.")],
    "inner.example": lambda _number: [("A", "127.0.0.1")],
}


@dataclasses.dataclass
class Kind:
    """A kind of channel, and a configuration of it that holds MARK."""

    channel: Channel[Any]
    given: dict[str, Any]

    def typed(self, url: str) -> dict[str, Any]:
        """What an owner types who wants it to lead to `url`."""
        return {name: _put(url, value) for name, value in self.given.items()}

    def stored(self, url: str) -> Any:
        """The same as if it had been allowed when it was typed."""
        config = self.channel.parse_config(self.given)
        names = [field.name for field in dataclasses.fields(config)]
        return dataclasses.replace(config, **{n: _put(url, getattr(config, n)) for n in names})


def ssrf(*, messages: int = 1000) -> dict[str, Any]:
    """Nothing a user can type, and no name and no answer, brings a connection to a canary.

    `messages`: how many go, over all kinds, to a name that is public and private in turn.
    """
    kinds, cases, slipped = list(_kinds()), 0, list[str]()
    with ExitStack() as stack:
        hosts = ("127.0.0.1", "127.0.0.1", "::1")
        canaries = [stack.enter_context(RawSink(host=host)) for host in hosts]
        names = stack.enter_context(NameServer(ZONES))
        counted = _touched(canaries)
        for kind in kinds:
            texts = _texts(canaries)
            lures = _lures(canaries[0], messages // len(kinds))
            cases += 2 * len(texts) + len(lures) + 2 * len(REDIRECTS)
            slipped += _typed(kind, texts)
            slipped += _dialled(kind, [*texts, *lures], names.resolve)
            slipped += _led_on(kind, canaries[0])
        connections = sum(canary.connections for canary in canaries) - counted
    return {
        "drill": "ssrf",
        "kinds": len(kinds),
        "cases": cases,
        "connections": connections,
        "slipped": slipped,  # what was accepted, or dialled somewhere else
        "held": connections == 0 and not slipped and counted == len(canaries) and bool(kinds),
    }


def _kinds() -> Iterator[Kind]:
    """Those that have a URL, each in the configuration that the contract's tests use."""
    for kind in sorted(registry.CHANNELS):
        harness: Harness = importlib.import_module(f"tests.contract.test_{kind}").HARNESS
        if MARK in str(harness.config(MARK)):
            yield Kind(registry.get(kind), harness.config(MARK))


def _put(url: str, value: Any) -> Any:
    return value.replace(MARK, url.rstrip("/")) if isinstance(value, str) else value


def _touched(canaries: Sequence[RawSink]) -> int:
    """How many canaries count one connection: a drill that can't fail would show nothing."""

    async def touch(canary: RawSink) -> None:
        reader, writer = await asyncio.open_connection(canary.host, canary.port)
        writer.write_eof()
        await reader.read()
        writer.close()

    for canary in canaries:
        asyncio.run(touch(canary))
    return sum(canary.connections for canary in canaries)


def _texts(canaries: Sequence[RawSink]) -> list[str]:
    """Addresses in every spelling, at every canary's port, and what parsers disagree about."""
    ported = [f"http://{host}:{canary.port}" for host in HOSTS for canary in canaries]
    split = [f"http://127.0.0.1:{canary.port}\\@example.org" for canary in canaries]
    bad = [url for url in BAD_URLS if not url.startswith(" ")]  # a blank before it is taken off
    return [*PRIVATE_URLS, *bad, *ported, *split]


def _lures(canary: RawSink, tries: int) -> list[str]:
    """Names of our name server, which lead to a canary sooner or later."""
    rebound = f"http://rebound.example:{canary.port}"
    others = [f"http://{name}.example:{canary.port}" for name in ("mixed", "alias")]
    return [*others, *[rebound] * tries]


def _typed(kind: Kind, urls: Iterable[str]) -> Iterator[str]:
    """The texts that could be saved."""
    with override_settings(OUTBOUND_ALLOW=[]):
        for url in filter(
            str.strip, urls
        ):  # nothing at all is the provider's own, where there is one
            with suppress(ConfigError):
                kind.channel.parse_config(kind.typed(url))
                yield f"{kind.channel.kind} takes {url}"


def _dialled(kind: Kind, urls: Sequence[str], resolve: Resolve) -> list[str]:
    """Where sending led, though it was saved before it was refused; the public address may."""
    configs = [kind.stored(url) for url in urls]
    with override_settings(OUTBOUND_ALLOW=[]), WATCHMAN.on_duty() as heard:
        asyncio.run(_send(kind.channel, configs, resolve))
    strays = set(heard.connects) - {PUBLIC}
    return [f"{kind.channel.kind} dials {address}" for address in sorted(strays)]


def _led_on(kind: Kind, canary: RawSink) -> Iterator[str]:
    """Redirects that were followed: to a canary at once, or ten times round before."""
    for status in REDIRECTS:
        with HttpSink() as sink, override_settings(OUTBOUND_ALLOW=["127.0.0.1"]):
            home = Reply(status, headers={"Location": f"{sink.url}/on"})
            away = Reply(status, headers={"Location": f"http://127.0.0.1:{canary.port}/"})
            for replies in ([away], [*[home] * 10, away]):
                sink.replies.clear()
                sink.replies.extend(replies)
                asyncio.run(_send(kind.channel, [kind.stored(sink.url)], None))
            if len(sink.requests) > 2:
                yield f"{kind.channel.kind} follows {status}"


async def _send(channel: Channel[Any], configs: Iterable[Any], resolve: Resolve | None) -> None:
    async with Client(resolve=resolve) as client:
        for config in configs:
            with suppress(ValueError):  # no URL at all: nothing that could have been stored
                await channel.send(envelope_of(), config, client, dt.datetime.now(dt.UTC))

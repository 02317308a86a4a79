"""Asking over the way out: in this process, or in a child whose environment and memory are its own.

`python -m tests.asking` reads `{"urls": [...], "addresses": {host: address}}` and writes what each
request came to, and by how many bytes the process's memory has grown at most.
"""

import asyncio
import itertools
import json
import os
import resource
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import django

from stalkerr.addresses import OutboundError
from stalkerr.outbound import Answer, Client, Resolve
from tests.sinks import FOREVER


def ask(
    *urls: str, resolve: Resolve | None = None, method: str = "POST"
) -> list[Answer | OutboundError]:
    """POST to each, one after the other over one client."""

    async def each() -> list[Answer | OutboundError]:
        async with Client(resolve=resolve) as client:
            return [await ask_one(client, url, method) for url in urls]

    return asyncio.run(each())


async def ask_one(client: Client, url: str, method: str = "POST") -> Answer | OutboundError:
    try:
        return await client.request(method, url, body=b"{}")
    except OutboundError as error:
        return error


def ask_once(url: str, resolve: Resolve | None = None) -> Answer | OutboundError:
    return ask(url, resolve=resolve)[0]


def always(*addresses: str) -> Resolve:
    """Every name leads there."""

    async def resolve(_host: str) -> list[str]:
        return list(addresses)

    return resolve


def speaking(
    head: bytes, *rest: bytes, pause: float = 0
) -> Callable[[StreamReader, StreamWriter], Any]:
    """A server that takes the request and says this, `rest` over and over."""

    async def speak(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(head)
        for chunk in itertools.cycle(rest):
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause)
        await asyncio.sleep(FOREVER)

    return speak


def ask_elsewhere(
    urls: Sequence[str], *, addresses: Mapping[str, str] | None = None, **environment: str
) -> tuple[list[str], int]:
    """What each came to in a child ("200" or the error's class), and its growth in bytes."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.asking"],
        input=json.dumps({"urls": urls, "addresses": addresses or {}}),
        env=os.environ | environment,
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    said = json.loads(child.stdout)
    return said["outcomes"], said["growth"]


def main() -> None:
    django.setup()
    wanted = json.load(sys.stdin)

    async def resolve(host: str) -> list[str]:
        return [wanted["addresses"][host]]

    first, *others = wanted["urls"]
    outcomes = ask(first, resolve=resolve)
    before = _most_memory()
    outcomes += ask(*others, resolve=resolve) if others else []
    words = [
        str(each.status) if isinstance(each, Answer) else type(each).__name__ for each in outcomes
    ]
    json.dump({"outcomes": words, "growth": _most_memory() - before}, sys.stdout)


def _most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()

"""`python -m tests.benchmarks.responder`: a receiver that is quicker than any sender.

Says its port, answers every request with 200 and nothing more, counts (`GET /count`), and keeps
the last ones for others to send again (`GET /kept`).
"""

import asyncio
import json
import re
import subprocess
import sys
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvloop

KEPT = 4_000
Sent = tuple[str, dict[str, str], str]  # path, headers, body
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_USUAL = b"\r\nContent-Length: "
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
_NOTHING = _OK % (0, b"")


class Responder(asyncio.Protocol):
    """One connection; requests have a Content-Length or no body."""

    answered = 0  # over all connections
    kept: deque[bytes] = deque(maxlen=KEPT)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            size = end + 4 + _length(self.buffer, end)
            if len(self.buffer) < size:
                return
            self._answer(self.buffer[:size])
            self.buffer = self.buffer[size:]

    def _answer(self, request: bytes) -> None:
        if request.startswith(b"GET "):
            said = Responder.answered if request.startswith(b"GET /count ") else list(_kept())
            body = json.dumps(said).encode()
            self.transport.write(_OK % (len(body), body))
            return
        Responder.answered += 1
        Responder.kept.append(request)
        self.transport.write(_NOTHING)


def _length(buffer: bytes, end: int) -> int:
    """Of the body. Most spell its header so; to look for any spelling takes longer."""
    start = buffer.find(_USUAL, 0, end)
    if start >= 0:
        start += len(_USUAL)
        return int(buffer[start : buffer.find(b"\r", start)])
    found = _LENGTH.search(buffer, 0, end + 2)
    return int(found[1]) if found else 0


def _kept() -> Iterator[Sent]:
    for request in Responder.kept:
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        yield first.split(" ")[1], dict(line.split(": ", 1) for line in lines), body.decode()


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Responder, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


@contextmanager
def responder() -> Iterator[str]:
    """One in a process of its own; its address."""
    command = [sys.executable, "-m", "tests.benchmarks.responder"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 (ours)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def answered(url: str) -> int:
    """How many requests the responder at `url` has answered."""
    return int(_ask(f"{url}/count"))


def kept(url: str) -> list[Sent]:
    """The last requests, oldest first."""
    return [(path, headers, body) for path, headers, body in _ask(f"{url}/kept")]


def _ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (loopback)
        return json.load(answer)


if __name__ == "__main__":
    uvloop.run(serve())

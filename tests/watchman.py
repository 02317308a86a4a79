"""Who this process contacted, and whom it asked the system for: heard from Python itself."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True)
class Heard:
    """Since the watch began."""

    connects: list[str] = field(default_factory=list)  # addresses; streams only
    lookups: list[str] = field(default_factory=list)  # what getaddrinfo was asked for


class Watchman:
    """Hears every connect and lookup while on duty, and lets only loopback be contacted."""

    def __init__(self) -> None:
        self._heard: Heard | None = None
        sys.addaudithook(self._hear)

    @contextmanager
    def on_duty(self) -> Iterator[Heard]:
        self._heard = Heard()
        try:
            yield self._heard
        finally:
            self._heard = None

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if self._heard and event == "socket.connect" and isinstance(args[1], tuple):
            self._hear_connect(self._heard, args[0], args[1][0])
        if self._heard and event == "socket.getaddrinfo":
            self._heard.lookups.append(str(args[0]))

    def _hear_connect(self, heard: Heard, sock: socket.socket, address: str) -> None:
        if sock.type & socket.SOCK_STREAM:
            heard.connects.append(address)
            if not address.startswith("127.") and address != "::1":
                raise ConnectionRefusedError(111, "stopped by the watchman")


WATCHMAN: Final = Watchman()  # audit hooks can't be taken off again, so there is one

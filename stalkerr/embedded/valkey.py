"""Valkey from the wheel, twice: a broker that keeps what it has, a cache that forgets."""

import signal
import socket
from pathlib import Path

from stalkerr.embedded.account import Account
from stalkerr.embedded.server import Server

BROKER = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory": "256mb",
    "maxmemory-policy": "noeviction",  # better a refused task than a lost one
}
CACHE = {"appendonly": "no", "maxmemory": "64mb", "maxmemory-policy": "allkeys-lru"}


class Valkey(Server):
    """A server in the Redis protocol; `settings` as in valkey.conf."""

    stop_signals = (signal.SIGTERM, signal.SIGKILL)

    def __init__(
        self,
        *,
        name: str,
        program: Path,
        data: Path,
        settings: dict[str, str],
        account: Account,
        log: Path,
        port: int | None,
        password: str,
    ) -> None:
        super().__init__(account=account, log=log, port=port, password=password)
        self.name = name
        self.program = program
        self.data = data
        self.settings = settings

    def prepare(self) -> None:
        """Make the data folder the first time."""
        if not self.data.exists():
            self.data.mkdir(mode=0o700)
            self.account.own(self.data)

    def command(self) -> list[str]:
        return [str(self.program), "-"]  # the configuration comes by stdin: ps shows no password

    def configuration(self) -> bytes:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self.password,
            "dir": f'"{self.data}"',
            "databases": "64",
            "save": '""',
            "loglevel": "warning",
            **self.settings,
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items()).encode()

    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def is_ready(self) -> bool:
        """Does it know our password and answer? (Not while it still loads its file.)"""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\nQUIT\r\n".encode())
                return connection.makefile("rb").read().startswith(b"+OK\r\n+PONG")
        except OSError:
            return False

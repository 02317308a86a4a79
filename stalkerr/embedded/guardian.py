"""The process that runs the servers, for as long as anybody uses them."""

import logging
import os
import secrets
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from stalkerr.embedded.account import Account, find_account
from stalkerr.embedded.binaries import HOME, find_binaries
from stalkerr.embedded.errors import EmbeddedError
from stalkerr.embedded.folder import (
    EXCLUSIVE,
    SHARED,
    Folder,
    open_lock,
    read_json,
    try_lock,
    unlock,
    write_json,
)
from stalkerr.embedded.orphans import stop_orphans
from stalkerr.embedded.postgres import Postgres
from stalkerr.embedded.server import Server
from stalkerr.embedded.valkey import BROKER, CACHE, Valkey

logger = logging.getLogger(__name__)

POLL = 0.1  # seconds
GRACE = 1.0  # seconds without a client before the servers stop
PATIENCE = 10.0  # seconds for an orderly stop


def guard(folder: Folder, *, durable: bool, ready: Callable[[], None]) -> bool:
    """Run the servers until nobody needs them; False at once where another guardian does.

    `ready` is called when all of them answer. Raises EmbeddedError.
    """
    lock = open_lock(folder.guardian_lock)  # held until this process ends
    if not try_lock(lock, EXCLUSIVE):
        return False
    stop_orphans(folder)
    folder.state.unlink(missing_ok=True)
    leave = Leave(folder)
    servers = prepare(folder, durable=durable)
    try:
        for server in servers.values():
            server.start()
        for server in servers.values():
            server.wait_ready(give_up=leave.is_due)
        keep_keys(folder, servers)
        write_state(folder, servers)
        ready()
        watch(folder, servers, leave)
    finally:
        folder.state.unlink(missing_ok=True)
        stop(servers)
    return True


def prepare(folder: Folder, *, durable: bool) -> dict[str, Server]:
    """The three servers with their folders made, by the name of the setting that points to them."""
    account = find_account(folder.data)
    binaries = find_binaries(account)
    make_data_folder(folder.data, account)
    keys = read_json(folder.keys)
    ports = keys.get("ports", {})
    password = keys.get("password") or secrets.token_urlsafe(24)
    write_json(folder.keys, {"password": password, "ports": ports})
    data = folder.data.resolve()
    for name in ("postgres", "broker", "cache", "guardian"):
        folder.log(name).write_bytes(b"")
    postgres = Postgres(
        binaries=binaries.postgres,
        data=data / "postgres",
        durable=durable,
        account=account,
        log=folder.log("postgres"),
        port=ports.get("DATABASE_URL"),
        password=password,
    )
    broker = Valkey(
        name="The broker (Valkey)",
        program=binaries.valkey,
        data=data / "broker",
        settings=BROKER,
        account=account,
        log=folder.log("broker"),
        port=ports.get("BROKER_URL"),
        password=password,
    )
    cache = Valkey(
        name="The cache (Valkey)",
        program=binaries.valkey,
        data=data / "cache",
        settings=CACHE,
        account=account,
        log=folder.log("cache"),
        port=ports.get("CACHE_URL"),
        password=password,
    )
    for server in (postgres, broker, cache):
        server.prepare()
    return {"DATABASE_URL": postgres, "BROKER_URL": broker, "CACHE_URL": cache}


def make_data_folder(data: Path, account: Account) -> None:
    """The servers' folder: here, or under /var/lib with a link where their user can't come here."""
    if data.is_symlink() and not data.exists():
        raise EmbeddedError(
            f"{data} points to {data.readlink()}, which is gone: put it back, or delete the link "
            "to start afresh."
        )
    if data.exists():
        return
    if account.can_enter(data.parent):
        data.mkdir(mode=0o700)
    else:
        HOME.mkdir(parents=True, exist_ok=True)
        HOME.chmod(0o755)
        data.symlink_to(tempfile.mkdtemp(prefix="data-", dir=HOME))
    account.own(data)


class Leave:
    """Tells when it is time to go: told by a signal, or nobody holds the clients' lock any more."""

    def __init__(self, folder: Folder) -> None:
        self.lock = open_lock(folder.clients_lock)
        self.told = False
        self.alone_since: float | None = None
        signal.signal(signal.SIGTERM, self._tell)
        # No SIG_IGN: the servers would inherit it.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGHUP, lambda *_: None)

    def _tell(self, *_: object) -> None:
        self.told = True

    def is_due(self) -> bool:
        """Once true, no client comes in until this process has ended: the lock is held."""
        now = time.monotonic()
        if self.told:
            return True
        if not try_lock(self.lock, EXCLUSIVE):
            self.alone_since = None
            return self._last_client_waits()
        if self.alone_since is None:
            self.alone_since = now
        if now - self.alone_since >= GRACE:
            return True
        unlock(self.lock)
        return False

    def _last_client_waits(self) -> bool:
        """Only the last client, on its way out, holds the lock exclusively (see client.py)."""
        if not try_lock(self.lock, SHARED):
            return True
        unlock(self.lock)
        return False


def watch(folder: Folder, servers: dict[str, Server], leave: Leave) -> None:
    """Start again what dies, until it is time to go."""
    while not leave.is_due():
        started = [server.keep(time.monotonic()) for server in servers.values()]
        if any(started):
            write_state(folder, servers)
        for server in servers.values():
            server.trim_log()
        time.sleep(POLL)


def keep_keys(folder: Folder, servers: dict[str, Server]) -> None:
    """Remember the ports for the next start."""
    ports = {name: server.port for name, server in servers.items()}
    write_json(folder.keys, read_json(folder.keys) | {"ports": ports})


def write_state(folder: Folder, servers: dict[str, Server]) -> None:
    """Tell clients where the servers are."""
    write_json(
        folder.state,
        {
            "guardian": os.getpid(),
            "urls": {name: server.url() for name, server in servers.items()},
            "pids": {name: server.pid for name, server in servers.items()},
        },
    )


def stop(servers: dict[str, Server]) -> None:
    """Stop all, side by side."""
    for server in servers.values():
        server.ask_to_stop()
    for server in servers.values():
        server.wait_stopped(patience=PATIENCE)

"""What is there while the demo plays: empty servers, a store, somebody to tell, real processes."""

import logging
import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from django.conf import settings
from psycopg import sql

from scraping.emulator.server import Emulator
from stalkerr.embedded.folder import EXCLUSIVE, Folder, open_lock, read_json, try_lock
from stalkerr.processes import Supervisor
from workers import launch
from workers.demo.receivers import Receivers
from workers.demo.report import Report
from workers.demo.story import MARKETPLACES, Stock


@dataclass(frozen=True, slots=True)
class Stage:
    """All of it; `url` is the web server's, `flower` a host and port."""

    folder: Path
    url: str
    flower: str
    admin_password: str
    store: Emulator
    stock: Stock
    receivers: Receivers
    processes: Supervisor


def build(folder: Path, stack: ExitStack, report: Report) -> Stage:
    """Build it; `stack` takes it down again. Raises LaunchError."""
    claim(folder, stack)
    url, flower = choose_web_url(), choose_flower_address()
    clear(folder)
    log_to(folder / "log" / "demo.log")
    admin_password = launch.prepare()
    report.line("servers", "PostgreSQL and two Valkeys run, the schemas are new")
    store = stack.enter_context(Emulator(marketplaces=MARKETPLACES))
    stock = Stock(store)
    report.line("store", f"made up, answers at {store.base_url}")
    receivers = stack.enter_context(Receivers(folder / "inbox"))
    processes = launch.supervisor(
        logs=folder / "log",
        PORT=url.rpartition(":")[2],
        PUBLIC_URL=url,
        FLOWER_ADDRESS=flower,
        STORE_URL=store.base_url,
        SMTP_URL=receivers.smtp_url,
        BACKUPS="0",  # of what the next demo empties
    )
    stack.enter_context(processes)
    names = ", ".join(f"{name} ({pid})" for name, pid in processes.pids().items())
    report.line("processes", f"start: {names}")
    return Stage(folder, url, flower, admin_password, store, stock, receivers, processes)


def claim(folder: Path, stack: ExitStack) -> None:
    """Make the folder this run's alone. Raises LaunchError."""
    lock = open_lock(folder / "demo.lock")
    stack.callback(os.close, lock)
    if not try_lock(lock, EXCLUSIVE):
        raise launch.LaunchError(
            f"A demo runs in {folder} already: end it first, or choose another VAR_DIR."
        )


def clear(folder: Path) -> None:
    """Leave nothing of an earlier demo: no rows, no hints, no messages, no logs.

    Raises LaunchError where the servers are not the demo's own.
    """
    own = read_json(Folder(folder / "embedded").state).get("urls", {})
    if folder.name != "demo" or not own or any(os.environ.get(name) != own[name] for name in own):
        raise launch.LaunchError(
            "The demo empties its database, and this one is not its own: start it by `make demo`."
        )
    _empty_database()
    for url in (settings.BROKER_URL, settings.CACHE_URL):
        with redis.Redis.from_url(url) as server:
            server.flushall()
    for name in ("inbox", "log"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()


def _empty_database() -> None:
    at = settings.DATABASES["default"]
    name = sql.Identifier(at["NAME"])
    with psycopg.connect(
        host=at["HOST"],
        port=at["PORT"],
        user=at["USER"],
        password=at["PASSWORD"],
        dbname="postgres",
        autocommit=True,
    ) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        server.execute(sql.SQL("CREATE DATABASE {}").format(name))


def log_to(path: Path) -> None:
    """This process's own logs are not for the screen."""
    log = path.open("a")
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(log)


def choose_web_url() -> str:
    """Where the web server will be. Raises LaunchError where it can't be there."""
    host = os.environ.get("HOST") or "127.0.0.1"
    port = choose_port(host, "8000", os.environ.get("PORT"), "The web server", "PORT")
    return f"http://{host}:{port}"


def choose_flower_address() -> str:
    """Where Flower will be. Raises LaunchError where it can't be there."""
    host, _, port = settings.FLOWER_ADDRESS.rpartition(":")
    asked = port if "FLOWER_ADDRESS" in os.environ else None
    return f"{host}:{choose_port(host, port, asked, 'Flower', 'FLOWER_ADDRESS')}"


def choose_port(host: str, usual: str, asked: str | None, name: str, setting: str) -> int:
    """The port that was asked for, else the usual one if it is free, else any."""
    port = asked or usual
    try:
        launch.check_port(host, port, name, setting)
    except launch.LaunchError:
        if asked:
            raise
        return launch.free_port()
    return int(port)

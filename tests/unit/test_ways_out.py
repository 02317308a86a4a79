"""Who may open a connection: the way out, the visits to stores, and what never leaves this machine.

Databases and brokers are not in here: they are the operator's, named by settings.
"""

import ast
from collections.abc import Iterator
from typing import Final

import pytest

from stalkerr.processes import ROOT

# What can contact somebody. `asyncio` can, too: by these names.
CLIENTS: Final = frozenset(
    {"requests", "urllib3", "httpx", "httpcore", "aiohttp", "pycurl", "websockets", "websocket"}
    | {"urllib.request", "http.client", "xmlrpc.client", "socket", "socketserver", "_socket"}
    | {"smtplib", "aiosmtplib", "ftplib", "poplib", "imaplib", "telnetlib", "nntplib", "paramiko"}
    | {"django.core.mail", "pywebpush", "apprise", "slack_sdk", "discord", "telegram", "aiodns"}
)
METHODS: Final = frozenset(
    {"open_connection", "create_connection", "create_datagram_endpoint", "sock_connect"}
    | {"open_unix_connection", "create_unix_connection", "sock_sendto"}
)
ALLOWED: Final = {
    ("stalkerr/outbound.py", "aiohttp"): "the way out itself",
    ("stalkerr/outbound.py", "socket"): "it asks the system for a name's addresses, once",
    ("stalkerr/addresses.py", "socket"): "inet_aton knows how addresses can be spelled; no sockets",
    ("stalkerr/embedded/server.py", "socket"): "finds a free port of this machine",
    ("api/edge/line.py", "create_connection"): "to the operator's own Redis only",
    ("api/edge/line.py", "create_unix_connection"): "the same",
    ("stalkerr/embedded/valkey.py", "socket"): "asks its own child at 127.0.0.1 whether it is up",
    ("stalkerr/embedded/valkey.py", "create_connection"): "the same",
    ("stalkerr/vetting_proxy.py", "socket"): "the way out of libraries: names its constants",
    ("stalkerr/vetting_proxy.py", "open_connection"): "to an address that the guard has judged",
    ("notifications/cage.py", "apprise"): "in a child whose only way out is that proxy",
    ("notifications/cage.py", "requests"): "the same: it notes what Apprise asked and was told",
    ("notifications/channels/web_push.py", "pywebpush"): "only encrypts; outbound sends",
    ("notifications/channels/email.py", "aiosmtplib"): "to the operator's SMTP_URL only",
    ("scraping/sources/http.py", "requests"): "visits to stores, at addresses the sources make",
    ("scraping/sources/http.py", "urllib3"): "names its errors",
    ("scraping/live/asking.py", "requests"): "`make live`: names the errors of those visits",
    ("scraping/emulator/desk.py", "aiohttp.web"): "a server: the emulated store",
    ("scraping/emulator/server.py", "aiohttp.web"): "a server: the emulated store",
    ("workers/demo/receivers.py", "aiohttp.web"): "a server: where the demo's news arrives",
    ("workers/demo/reader.py", "urllib.request"): "the demo follows the link in its own mail",
    ("workers/demo/show.py", "urllib.request"): "the demo asks its own web server",
    ("workers/launch.py", "socket"): "is a port of this machine free?",
    ("workers/launch.py", "urllib.request"): "asks its own web server whether it is up",
    ("scripts/check_up.py", "socket"): "finds a free port of this machine",
    ("scripts/check_up.py", "urllib.request"): "asks the web server that it has just started",
}
MODULES: Final = sorted(
    path
    for path in ROOT.rglob("*.py")
    if path.relative_to(ROOT).parts[0] not in {".venv", "var", "tests"}
)


def test_nobody_else_can_open_a_connection() -> None:
    """Proves the guard against a second way out: give any module a client, and it is named here."""
    found = {
        (str(path.relative_to(ROOT)), name)
        for path in MODULES
        for name in ways_out(path.read_text())
    }
    assert found - ALLOWED.keys() == set(), "send through stalkerr.outbound, or say why not, above"
    assert ALLOWED.keys() - found == set(), "what is no longer there needs no leave"


def test_the_whole_product_was_read() -> None:
    apps = {path.relative_to(ROOT).parts[0] for path in MODULES}
    assert apps >= {
        "accounts",
        "api",
        "catalog",
        "notifications",
        "scraping",
        "stalkerr",
        "workers",
    }


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import requests", "requests"),
        ("import requests.adapters as x", "requests"),
        ("from requests import post", "requests"),
        ("import urllib.request", "urllib.request"),
        ("from urllib import request", "urllib.request"),
        ("from urllib.request import urlopen", "urllib.request"),
        ("from http import client", "http.client"),
        ("from aiohttp import ClientSession", "aiohttp"),
        ("from aiohttp import web, ClientSession", "aiohttp"),
        ("from aiohttp import web", "aiohttp.web"),
        ("from aiohttp.web import Application", "aiohttp.web"),
        ("from django.core import mail", "django.core.mail"),
        ("from django.core.mail import send_mail", "django.core.mail"),
        ("def f():\n    import socket", "socket"),
        ("try:\n    import httpx\nexcept ImportError:\n    pass", "httpx"),
        ("importlib.import_module('http.client')", "http.client"),
        ("import_module('apprise.plugins')", "apprise"),
        ("__import__('socket')", "socket"),
        ("await asyncio.open_connection('x', 1)", "open_connection"),
        ("from asyncio import open_connection", "open_connection"),
        ("await loop.create_connection(P, 'x', 1)", "create_connection"),
        ("connect = loop.sock_connect", "sock_connect"),
    ],
)
def test_a_way_out_is_found_in_any_spelling(code: str, name: str) -> None:
    assert name in set(ways_out(code))


@pytest.mark.parametrize(
    "code",
    [
        "from urllib.parse import urlsplit",
        "from http import HTTPStatus",
        "from http.cookiejar import DefaultCookiePolicy",
        "from stalkerr.outbound import Client",
        "import asyncio",
        "await asyncio.start_server(f)",
        "import_module(name)",
        "import requests_mock",
    ],
)
def test_what_opens_nothing_is_left_alone(code: str) -> None:
    assert list(ways_out(code)) == []


def ways_out(code: str) -> Iterator[str]:
    """The clients that a module's code gets hold of."""
    for node in ast.walk(ast.parse(code)):
        for name in _names(node):
            if name == "aiohttp.web" or name.startswith("aiohttp.web."):
                yield "aiohttp.web"
            elif client := _client(name):
                yield client


def _names(node: ast.AST) -> Iterator[str]:
    """Dotted names that a piece of code imports, and methods that it takes."""
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=str(module), names=names):
            yield from (f"{module}.{alias.name}" for alias in names)
        case ast.Call(
            func=ast.Name(id="import_module" | "__import__")
            | ast.Attribute(attr="import_module" | "__import__"),
            args=[ast.Constant(value=str(module)), *_],
        ):
            yield module
        case ast.Attribute(attr=attribute) if attribute in METHODS:
            yield attribute


def _client(name: str) -> str | None:
    """The client that a dotted name is, or is a part of."""
    parts = name.split(".")
    if parts[-1] in METHODS:
        return parts[-1]
    starts = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
    return next((start for start in starts if start in CLIENTS), None)

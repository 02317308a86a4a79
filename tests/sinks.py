"""Real receivers on 127.0.0.1, in a thread of their own, that answer as scripted and keep all.

They serve synchronous tests, asynchronous ones and other processes alike.
"""

import asyncio
import atexit
import datetime as dt
import json
import shutil
import ssl
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

FOREVER = 3600.0


class Served:
    """An event loop in a thread that runs `_serve` until the block is left."""

    port = 0

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(ready.set)), daemon=True
        )
        self._thread.start()
        assert ready.wait(10), "the sink did not start"
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _main(self, ready: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        await self._serve(ready)

    async def _serve(self, ready: Callable[[], None]) -> None:
        """Listen, set `port`, call `ready`, wait for `_stop`, close."""
        raise NotImplementedError


def wait_until(holds: Callable[[], bool], within: float = 10, every: float = 0.005) -> None:
    """Return as soon as `holds()`, asked every so many seconds; fail after `within` seconds."""
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(every)


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str  # with its query
    headers: dict[str, str]  # names in lower case
    body: bytes
    at: float  # time.monotonic()

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0  # seconds after the request was read; FOREVER: no answer
    drop: bool = False  # take the request, close the connection, say nothing


class HttpSink(Served):
    """Answers `replies` first, one request each, then `always`."""

    def __init__(
        self,
        always: Reply | Callable[[Request], Reply] = Reply(),
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.always = always
        self._context = tls
        self.replies: deque[Reply] = deque()
        self.requests: list[Request] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_for(self, count: int, within: float = 10) -> list[Request]:
        """The requests, as soon as there are `count`."""
        wait_until(lambda: len(self.requests) >= count, within)
        return self.requests

    async def _serve(self, ready: Callable[[], None]) -> None:
        server = web.Server(self._answer, access_log=None)

        def connect() -> Any:
            self.connections += 1
            return server()

        listener = await self._loop.create_server(connect, "127.0.0.1", 0, ssl=self._tls())
        self.port = listener.sockets[0].getsockname()[1]
        ready()
        await self._stop.wait()
        listener.close()
        await server.shutdown(0.1)

    def _tls(self) -> ssl.SSLContext | None:
        return self._context

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        seen = Request(
            method=request.method,
            path=request.path_qs,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.content.read(),  # however much it is
            at=time.monotonic(),
        )
        self.requests.append(seen)
        reply = self._reply_to(seen)
        await asyncio.sleep(reply.delay)
        if reply.drop and request.transport:
            request.transport.abort()
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    def _reply_to(self, request: Request) -> Reply:
        if self.replies:
            return self.replies.popleft()
        return self.always if isinstance(self.always, Reply) else self.always(request)


class SecureSink(HttpSink):
    """Speaks TLS, as every host there is: `certificate` is what a client must trust for that."""

    HOSTS = ("*.pushbullet.com",)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        return certificate(self.HOSTS).with_suffix(".crt")

    def _tls(self) -> ssl.SSLContext | None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate(self.HOSTS))
        return context


@cache
def certificate(hosts: tuple[str, ...]) -> Path:
    """A key and a certificate that vouches for itself, in one file; the latter alone beside it."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sink")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "sink.crt").write_bytes(made)
    (folder / "sink.pem").write_bytes(pem + made)
    return folder / "sink.pem"


class RawSink(Served):
    """Accepts connections and hands each to `speak(reader, writer)`; counts both."""

    def __init__(
        self,
        speak: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
        | None = None,
        *,
        host: str = "127.0.0.1",
    ) -> None:
        self._speak = speak
        self.host = host
        self.connections = 0
        self.received = b""

    async def _serve(self, ready: Callable[[], None]) -> None:
        tasks: set[asyncio.Task[None]] = set()
        writers: set[asyncio.StreamWriter] = set()

        async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            tasks.add(asyncio.current_task())  # type: ignore[arg-type]
            writers.add(writer)
            try:
                await (self._speak or self._listen)(reader, writer)
            except (ConnectionError, asyncio.CancelledError):
                pass
            finally:
                writer.close()

        listener = await asyncio.start_server(welcome, self.host, 0)
        self.port = listener.sockets[0].getsockname()[1]
        ready()
        await self._stop.wait()
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()  # whatever nobody reads any more
        await asyncio.sleep(0)

    async def _listen(self, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            self.received += chunk


@dataclass(frozen=True, slots=True)
class Mail:
    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    message: EmailMessage


class MailSink(Served):
    """A mailbox. `at_mail`, `at_rcpt` and `at_data` hold answers given there first, one each
    ("550 no"); the answer "drop" closes the connection, "hang" says nothing.
    With a `password`, it takes mail only from the user "stalkerr" who knows it.
    """

    def __init__(self, password: str = "") -> None:
        self._password = password
        self.mails: list[Mail] = []
        self.at_mail: deque[str] = deque()
        self.at_rcpt: deque[str] = deque()
        self.at_data: deque[str] = deque()

    @property
    def url(self) -> str:
        user = f"stalkerr:{quote(self._password, safe='')}@" if self._password else ""
        return f"smtp://{user}127.0.0.1:{self.port}"

    def wait_for(self, count: int, within: float = 10) -> list[Mail]:
        """The mails, as soon as there are `count`."""
        wait_until(lambda: len(self.mails) >= count, within)
        return self.mails

    async def _serve(self, ready: Callable[[], None]) -> None:
        def server() -> SMTP:
            return SMTP(
                self,
                hostname="sink",
                authenticator=self._authenticate,
                auth_required=bool(self._password),
                auth_require_tls=False,
            )

        listener = await self._loop.create_server(server, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        ready()
        await self._stop.wait()
        listener.close()

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any
    ) -> AuthResult:
        known = (given.login, given.password) == (b"stalkerr", self._password.encode())
        return AuthResult(success=known, handled=False)

    async def handle_MAIL(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = await _scripted(self.at_mail, server)
        if not answer:
            envelope.mail_from = address
        return answer or "250 OK"

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = await _scripted(self.at_rcpt, server)
        if not answer:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = await _scripted(self.at_data, server)
        if answer:
            return answer
        raw = envelope.content or b""
        assert isinstance(raw, bytes)
        message = message_from_bytes(raw, policy=policy.default)
        recipients = tuple(envelope.rcpt_tos)
        self.mails.append(Mail(envelope.mail_from or "", recipients, raw, message))
        return "250 OK"


async def _scripted(answers: deque[str], server: SMTP) -> str:
    answer = answers.popleft() if answers else ""
    if answer == "hang":
        await asyncio.sleep(FOREVER)
    if answer == "drop":
        assert isinstance(server.transport, asyncio.Transport)
        server.transport.abort()
        await asyncio.sleep(0)
    return answer

"""The program in which Apprise runs: an order on its standard input, a report on its output.

It is started as a script of its own (`python -I`), knows nothing of ours, and lives for one
message. Two walls are up before the first line of Apprise is read: what it may use of the machine,
and where it may connect to, which is the vetting proxy of the process that started it.

The order: {"module", "scheme", "url", "plans", "proxy": URL, "gate": port, "ca": file or "",
"seconds", "parent": process id}. `plans` are ways to say the same, the fullest first; each is a
list of (title, body). The report: {"understood", "accepted", "exchanges", "said"}, an exchange
being {"sent", "status", "retry_after", "complete"}.
"""

import contextlib
import ctypes
import importlib
import json
import logging
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

MEMORY: Final = 256 << 20  # bytes; it needs 70 MB
FILES: Final = 64  # open at a time
SAID_MAX: Final = 4000  # characters
PR_SET_PDEATHSIG: Final = 1

# Whatever leads out of this process, but to its proxy: names of audit events begin so.
_WALLED: Final = (
    *("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"),
    *("socket.getaddrinfo", "socket.gethostby", "socket.getnameinfo"),
    *("subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "pty."),
)

Plan = Sequence[tuple[str, str]]


def main() -> None:
    """Carry out one order."""
    order = json.loads(sys.stdin.buffer.read())
    with os.fdopen(os.dup(1), "wb") as report:
        _silence()
        die_with(order["parent"])
        limit(order["seconds"])
        wall(order["gate"])
        report.write(json.dumps(carry_out(order)).encode() + b"\n")


def _silence() -> None:
    """What plugins print must not become part of the report."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)


def die_with(parent: int) -> None:
    """Be killed when the process is gone that would kill us (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)


def limit(seconds: int) -> None:
    """What this process may use of the machine; not to be raised again."""
    limits = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_CORE: 0,  # secrets would lie in it
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: FILES,
    }
    if sys.platform == "linux":  # elsewhere it counts what is mapped, or nothing
        limits[resource.RLIMIT_AS] = MEMORY
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))


def wall(gate: int) -> None:
    """From here on nothing connects to anything but `gate`, a port of this machine."""
    proxy = ("127.0.0.1", gate)

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.connect" and args[1] == proxy:
            return
        if event == "socket.getaddrinfo" and args[0] == proxy[0]:
            return
        if event.startswith(_WALLED):
            raise PermissionError(f"{event} is not for this process.")

    sys.addaudithook(hear)  # there is no way to take it off again


def carry_out(order: Mapping[str, Any]) -> dict[str, Any]:
    """Send what was ordered, and say how that went."""
    os.environ |= dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY"), order["proxy"])
    if order["ca"]:
        os.environ["REQUESTS_CA_BUNDLE"] = order["ca"]
    said = _Said()
    exchanges: list[dict[str, Any]] = []
    # Loaded here and not above, because the walls must stand first.
    apprise = importlib.import_module("apprise")
    logging.getLogger("apprise").addHandler(said)
    plugin = _plugin(apprise, order)
    if plugin is None:
        return {"understood": False, "accepted": False, "exchanges": [], "said": said.text()}
    watch(importlib.import_module("requests.adapters").HTTPAdapter, exchanges)
    accepted = False
    with contextlib.suppress(Exception):  # whatever it is, the exchanges tell what came of it
        accepted = all(
            plugin.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)
            for title, body in fitting(order["plans"], plugin)
        )
    return {
        "understood": True,
        "accepted": accepted,
        "exchanges": exchanges,
        "said": said.text(),
    }


def _plugin(apprise: Any, order: Mapping[str, Any]) -> Any:
    """The plugin that the URL stands for, with what a URL could ask for set right; else None."""
    module = importlib.import_module(f"apprise.plugins.{order['module']}")
    (kind,) = (
        value
        for value in vars(module).values()
        if getattr(value, "__module__", "") == module.__name__
        and hasattr(value, "app_id")
        and order["scheme"] in value.schemas(value)
    )
    try:
        asset = apprise.AppriseAsset(
            app_id="Stalkerr", image_url_mask="", image_url_logo="", storage_path=None
        )
        plugin = kind(**{**kind.parse_url(order["url"]), "asset": asset})
    except Exception:  # noqa: BLE001 (plugins raise what they like at a URL that they don't like)
        return None
    plugin.verify_certificate = True
    plugin.redirects = False
    plugin.overflow_mode = apprise.OverflowMode.TRUNCATE
    plugin.request_rate_per_sec = 0  # the wait would count as time of this send
    return plugin


def fitting(plans: Sequence[Plan], plugin: Any) -> Plan:
    """The first plan that the service takes uncut; the last if there is none."""
    for plan in plans:
        if all(_fits(title, body, plugin) for title, body in plan):
            return plan
    return plans[-1]


def _fits(title: str, body: str, plugin: Any) -> bool:
    shares = not plugin.title_maxlen or plugin.overflow_amalgamate_title
    length = len(body) + (len(title) + 2 if shares else 0)
    return bool(length <= plugin.body_maxlen)


def watch(adapter: Any, exchanges: list[dict[str, Any]]) -> None:
    """Note every request and what came of it: Apprise itself says only yes or no."""
    send = adapter.send

    def watched(self: Any, request: Any, **options: Any) -> Any:
        exchange: dict[str, Any] = {"sent": True, "complete": False}
        exchanges.append(exchange)
        try:
            response = send(self, request, **options)
            exchange["status"] = response.status_code
            exchange["retry_after"] = response.headers.get("Retry-After")
            exchange["complete"] = response.content is not None  # read here, and kept
        except Exception as error:
            exchange["sent"] = not _is_before_sending(error)
            raise
        return response

    adapter.send = watched


def _is_before_sending(error: Exception) -> bool:
    """Whether it ended before a byte of the request could leave.

    Only of this error it is known: a lost answer, too, may be called a ProxyError.
    """
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


class _Said(logging.Handler):
    """What Apprise complained of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())

    def text(self) -> str:
        return " ".join(self._lines)[:SAID_MAX]


if __name__ == "__main__":
    main()

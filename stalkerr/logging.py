"""Logs: one line an event with named values; JSON for machines, colours for people."""

import asyncio
import datetime as dt
import logging
import logging.config
import sys
from contextlib import nullcontext
from typing import Any, Final

import orjson
import structlog

from stalkerr.redaction import redacted, without_secrets


def _add_plain(_logger: Any, _name: str, event: Any) -> Any:
    return {**event, **getattr(event["_record"], "plain", {})} if "_record" in event else event


_SHARED: list[Any] = [
    _add_plain,
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
_QUIET = (
    "alembic",
    "celery.worker.strategy",
    "celery.app.trace",
    "celery.beat",
    "urllib3",
)
_OF_SERVER = ("_granian", "granian.access")
HOLD: Final = 0.1  # seconds


def configure(options: dict[str, str]) -> None:
    """Django's LOGGING_CONFIG: `options` holds `format` (console or json) and `level`."""
    # No line of ours says these, and each costs every record something.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": _formatter, "json": options["format"] == "json"}},
            "handlers": {"stderr": {"()": _Stderr, "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": options["level"]},
            "loggers": {
                # One line a request or task of theirs says nothing that ours do not.
                **{name: {"level": "WARNING"} for name in _QUIET},
                # The web server's write past us, paths with all that permits in them.
                **{name: {"handlers": [], "propagate": True} for name in _OF_SERVER},
            },
        }
    )


def say_plainly(logger: logging.Logger, event: str, **plain: str | float | None) -> None:
    """A line of level INFO for what happens a thousand times a second.

    Nothing in it may come from outside: it is not looked through for secrets.
    """
    if logger.isEnabledFor(logging.INFO):
        record = logging.LogRecord(logger.name, logging.INFO, "", 0, event, None, None)
        record.plain = plain
        logger.handle(record)


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """As structlog's, but what is said plainly goes straight to JSON."""

    def format(self, record: logging.LogRecord) -> str:
        plain = getattr(record, "plain", None)
        if plain is None or not self.is_json:
            return super().format(record)
        at = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat().replace("+00:00", "Z")
        line = {**plain, "event": record.msg, "level": "info", "logger": record.name}
        return orjson.dumps(line | {"timestamp": at}).decode()

    is_json = False


def _loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class _Stderr(logging.StreamHandler[Any]):
    """What is said plainly on an event loop waits for a moment: each write lets go of the interpreter,
    and costs a busy server more than all else of a line. No other line overtakes it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        loop = _loop() if hasattr(record, "plain") else None
        if loop is None:
            self.flush()
            super().emit(record)
            return
        if not self._waiting:
            loop.call_later(HOLD, self.flush)
        self._waiting.append(self.format(record) + self.terminator)

    def flush(self) -> None:
        """Also at the end of the process: logging asks for it."""
        with self.lock or nullcontext():
            waiting, self._waiting = self._waiting, []
            if waiting:
                self.stream.write("".join(waiting))
        super().flush()


def _formatter(*, json: bool) -> logging.Formatter:
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # The default prints what variables hold: passwords, too. And takes a second a piece.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    final = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info if json else _keep,
        _without_named_secrets,
        renderer,
        _without_secrets,
    ]
    formatter = _Formatter(foreign_pre_chain=_SHARED, processors=final)
    formatter.is_json = json
    return formatter


def _without_named_secrets(_logger: Any, _name: str, event: Any) -> Any:
    exc_info = {"exc_info": event.pop("exc_info")} if "exc_info" in event else {}
    return {**without_secrets(event), **exc_info}


def _without_secrets(_logger: Any, _name: str, line: Any) -> Any:
    """The last word on a line, tracebacks included, whoever writes it."""
    return redacted(line)


def _keep(_logger: Any, _name: str, event: Any) -> Any:
    return event

"""Logs: one line an event with named values; JSON for machines, colours for people."""

import logging
import logging.config
import sys
from typing import Any

import structlog

from stalkerr.redaction import redacted, without_secrets

_SHARED: list[Any] = [
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


def configure(options: dict[str, str]) -> None:
    """Django's LOGGING_CONFIG: `options` holds `format` (console or json) and `level`."""
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
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": options["level"]},
            "loggers": {
                # One line a request or task of theirs says nothing that ours do not.
                **{name: {"level": "WARNING"} for name in _QUIET},
                # The web server's write past us, paths with all that permits in them.
                **{name: {"handlers": [], "propagate": True} for name in _OF_SERVER},
            },
        }
    )


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
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_SHARED, processors=final)


def _without_named_secrets(_logger: Any, _name: str, event: Any) -> Any:
    exc_info = {"exc_info": event.pop("exc_info")} if "exc_info" in event else {}
    return {**without_secrets(event), **exc_info}


def _without_secrets(_logger: Any, _name: str, line: Any) -> Any:
    """The last word on a line, tracebacks included, whoever writes it."""
    return redacted(line)


def _keep(_logger: Any, _name: str, event: Any) -> Any:
    return event

"""Flower, with every door closed that it leaves open, and tasks called by what they do."""

import os
from typing import Any, Final

from django.conf import settings
from flower.options import options
from flower.urls import handlers
from flower.urls import settings as application
from flower.views import BaseHandler
from flower.views.auth import LoginHandler
from flower.views.monitor import Healthcheck, Metrics
from tornado.web import StaticFileHandler, authenticated, url

from stalkerr.celery import app

# Our settings, and what Flower calls them.
PROVIDER: Final = {
    "FLOWER_CLIENT_ID": "FLOWER_OAUTH2_KEY",
    "FLOWER_CLIENT_SECRET": "FLOWER_OAUTH2_SECRET",
    "FLOWER_REDIRECT_URL": "FLOWER_OAUTH2_REDIRECT_URI",
}
CHOICE: Final = {
    "FLOWER_AUTH": "FLOWER_AUTH",
    "FLOWER_AUTH_PROVIDER": "FLOWER_AUTH_PROVIDER",
    "FLOWER_OIDC_URL": "FLOWER_OAUTH2_OKTA_BASE_URL",
}
OPEN: Final = (Healthcheck, LoginHandler)  # to whoever has yet to say who they are


class NoDoorError(Exception):
    """Says in one sentence why Flower would be open to anybody, and what to do."""


def start() -> None:
    """Become Flower, until SIGTERM. Raises NoDoorError where nothing would close it."""
    secrets = door()
    for name in [name for name in os.environ if name.startswith("FLOWER_")]:
        del os.environ[name]  # Flower would read each of them as an option
    os.environ.update(secrets)  # not arguments: every user of the machine may read those
    # The page to sign in makes another class of itself as it answers: open, or not there.
    left_out = (Metrics,) if settings.FLOWER_AUTH else (Metrics, LoginHandler)
    kept = [handler for handler in handlers if handler_of(handler) not in left_out]
    handlers[:] = [handler if handler_of(handler) in OPEN else closed(handler) for handler in kept]
    application["static_handler_class"] = closed_class(StaticFiles)
    options.format_task = described
    app.start(["--quiet", "flower", *words()])


def door() -> dict[str, str]:
    """Who is let in: whom a provider of identities knows, else who knows the password."""
    if settings.FLOWER_AUTH:
        missing = [name for name in PROVIDER if not getattr(settings, name)]
        if missing:
            raise NoDoorError(f"FLOWER_AUTH is set, so Flower needs {' and '.join(missing)} too.")
        return {option: getattr(settings, name) for name, option in (PROVIDER | CHOICE).items()}
    if not settings.FLOWER_PASSWORD:
        raise NoDoorError("Flower would be open to anybody: set FLOWER_PASSWORD or FLOWER_AUTH.")
    return {"FLOWER_BASIC_AUTH": f"{settings.FLOWER_USER}:{settings.FLOWER_PASSWORD}"}


def words() -> list[str]:
    """Flower's options; a file that lies in this folder by chance is none of them."""
    host, _, port = settings.FLOWER_ADDRESS.rpartition(":")
    chosen = {
        "conf": os.devnull,
        "address": host,
        "port": port,
        "read_only": settings.FLOWER_READ_ONLY,
        "persistent": False,  # its file is a pickle, grows, and says what is in the ledger anyway
        "max_tasks": 10_000,
        "purge_offline_workers": 300,
    }
    if settings.FLOWER_URL_PREFIX:
        chosen["url_prefix"] = settings.FLOWER_URL_PREFIX
    return [f"--{name}={value}" for name, value in chosen.items()]


def described(task: Any) -> Any:
    """A copy of one of Flower's tasks, called by the first words of our own's docstring."""
    ours = app.tasks.get(task.name)
    if ours is not None and ours.__doc__:
        sentence = ours.__doc__.strip().splitlines()[0].rstrip(".")
        task.name = f"{sentence} ({task.name})"
    return task


class StaticFiles(BaseHandler, StaticFileHandler):
    """Files of Flower's pages, for those who may see the pages."""


def closed(handler: Any) -> Any:
    """A line of Flower's table, for nobody who has not said who they are."""
    if isinstance(handler, url):
        pattern, kwargs, name = handler.regex.pattern, handler.kwargs, handler.name
        return url(pattern, closed_class(handler.handler_class), kwargs, name)
    pattern, given, *rest = handler
    given = StaticFiles if given is StaticFileHandler else given
    return (pattern, closed_class(given), *rest)


def handler_of(handler: Any) -> Any:
    return handler.handler_class if isinstance(handler, url) else handler[1]


def closed_class(given: Any) -> Any:
    """The same, but each request is asked who it is of before anything else."""

    class Closed(given):
        @authenticated
        def prepare(self) -> Any:
            return super().prepare()

    return Closed

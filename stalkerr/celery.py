"""The task queue. A message is a hint: whatever it says is also a row that the next tick finds."""

import os
from typing import Any, Final

from celery import Celery
from celery.signals import setup_logging

from stalkerr import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stalkerr.settings.local")

# Who hints makes one attempt to connect: by default kombu goes on for seconds, and a web request with
# it. Not so who listens: a worker ends where it gives up.
AT_ONCE: Final = {"max_retries": 0, "interval_start": 0}


class Hinting(Celery):
    """Celery, but for how long it tries to reach the broker in order to say something."""

    def connection_for_write(self, url: str | None = None, *more: Any, **options: Any) -> Any:
        options["transport_options"] = AT_ONCE | (options.get("transport_options") or {})
        return super().connection_for_write(url, *more, **options)


broker.read_carefully()
app = Hinting("stalkerr")
app.steps["consumer"].add(broker.DeadLetters)
app.config_from_object("stalkerr.celeryconfig")
app.autodiscover_tasks(["workers"])


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Celery leaves the logging alone that Django has set up."""

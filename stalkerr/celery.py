"""The task queue. A message is a hint: whatever it says is also a row that the next tick finds."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

from stalkerr import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stalkerr.settings.local")

broker.read_carefully()
app = Celery("stalkerr")
app.steps["consumer"].add(broker.DeadLetters)
app.config_from_object("stalkerr.celeryconfig")
app.autodiscover_tasks(["workers"])


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Celery leaves the logging alone that Django has set up."""

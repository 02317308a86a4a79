"""Settings of workers that meet poison: news by one author ends its process, by another raises."""

import os
import signal
from typing import Any

from django.apps import AppConfig

from stalkerr.settings.test import *  # noqa: F403

KILLS, RAISES = "Kilian Example", "Rae Example"


class PoisonedConfig(AppConfig):
    """In place of the webhook, as it is first needed: one whose code has two faults."""

    name = "tests.chaos"
    label = "chaos"

    def ready(self) -> None:
        from notifications.channels import registry, webhook

        class Poisoned(webhook.Webhook):
            async def send(self, envelope: Any, *more: Any) -> Any:
                authors = envelope.contents[0].authors
                if KILLS in authors:
                    os.kill(os.getpid(), signal.SIGKILL)
                if RAISES in authors:
                    raise RuntimeError("poison")
                return await super().send(envelope, *more)

        registry.CHANNELS["webhook"] = Poisoned()


INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.poisoned.PoisonedConfig"]  # noqa: F405

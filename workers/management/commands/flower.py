"""`manage.py flower`: tasks and workers as a page, behind a password, looking only."""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Shows tasks and workers in the browser (FLOWER_ADDRESS, FLOWER_USER, FLOWER_PASSWORD)."

    def handle(self, *args: Any, **options: Any) -> None:
        host, _, port = settings.FLOWER_ADDRESS.rpartition(":")
        # Not as arguments: every user of the machine may read those.
        secrets = {"FLOWER_BASIC_AUTH": f"{settings.FLOWER_USER}:{settings.FLOWER_PASSWORD}"}
        command = [sys.executable, "-m", "celery", "-A", "stalkerr.celery:app", "flower"]
        command += [f"--address={host}", f"--port={port}", "--read_only=True"]
        os.execve(  # noqa: S606 (the same process goes on as Flower)
            sys.executable,
            [*command, "--persistent=False", "--max_tasks=10000", "--purge_offline_workers=300"],
            {**os.environ, **secrets},
        )

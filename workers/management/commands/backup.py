"""`manage.py backup`: a backup now, beside those of every night."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from stalkerr import clock
from workers.backups.database import RefusedError
from workers.backups.services import back_up
from workers.backups.tools import ToolsError


class Command(BaseCommand):
    help = "Makes a backup of database and configuration, stores it and reads it back."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            backup = back_up(now=clock.now())
        except (RefusedError, ToolsError, OSError) as error:
            raise CommandError(f"There is no backup: {error}") from error
        sealed = ", encrypted" if backup.encrypted else ""
        self.stdout.write(f"Backed up: {backup.name} ({backup.bytes or 0:,} bytes{sealed}).")

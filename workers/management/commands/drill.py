"""`manage.py drill`: can the newest backup be restored?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from stalkerr import clock
from workers.backups.database import RefusedError
from workers.backups.drill import drill
from workers.backups.tools import ToolsError


class Command(BaseCommand):
    help = "Restores the newest backup into a scratch database, holds it against its manifest, drops it."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            backup = drill(now=clock.now())
        except (RefusedError, ToolsError, OSError) as error:
            raise CommandError(f"The drill failed: {error}") from error
        if backup is None:
            raise CommandError("There is no backup yet: make one with manage.py backup.")
        self.stdout.write(f"{backup.name}: {backup.get_drill_display()}. {backup.drill_detail}.")

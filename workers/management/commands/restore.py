"""`manage.py restore FILE`: a backup takes the place of the database."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workers.backups import database, restore
from workers.backups.database import RefusedError
from workers.backups.manifest import Manifest
from workers.backups.tools import ToolsError


class Command(BaseCommand):
    help = "Restores a backup: checked in a scratch database first, then swapped with this one."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("backup", help="its folder, a file in that, its name, or: latest")
        parser.add_argument("--yes", action="store_true", help="ask nothing")
        parser.add_argument(
            "--unsealed",
            action="store_true",
            help="also one made under other CHANNEL_KEYS: what is in it is run, and its secrets are lost",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        unsealed = options["unsealed"]
        try:
            source = restore.find(options["backup"], unsealed=unsealed)
            place = database.here()
            if not options["yes"]:
                self._ask(source.manifest, place.name)
            old = restore.restore(source=source, say=self.stdout.write, secrets=not unsealed)
        except (RefusedError, ToolsError, OSError) as error:
            raise CommandError(f"Nothing was restored: {error}") from error
        self.stdout.write(
            f"Restored {source.manifest.name}. What was in {place.name} is kept as {old.name}; when "
            f'nobody needs it any more: DROP DATABASE "{old.name}".\n'
            "Nothing that was unsent then is sent, and what is found again waits in the admin (release "
            'events, filter "held"). Everybody has to sign in anew.'
        )

    def _ask(self, made: Manifest, name: str) -> None:
        """Typed, so that nobody restores by a line that was meant for another machine."""
        books = made.tables.get("public.audiobooks")
        self.stdout.write(
            f"This puts the backup of {made.taken_at:%d %B %Y, %H:%M} UTC "
            f"({books.rows if books else 0:,} audiobooks) in the place of the database {name}. "
            "What was written since is not in it."
        )
        if not sys.stdin.isatty():
            raise RefusedError("nobody is there to be asked; say --yes.")
        if input(f"Type the database's name ({name}) to go on: ").strip() != name:
            raise RefusedError("that is not its name.")

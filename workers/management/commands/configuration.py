"""`manage.py configuration export|import FILE`: what people have set up, without secrets."""

import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from stalkerr import clock
from workers.backups import configuration, configuring
from workers.backups.database import RefusedError


class Command(BaseCommand):
    help = "Writes users, preferences, channels (without secrets), watches and schedule as JSON, or takes them back."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("way", choices=("export", "import"))
        parser.add_argument(
            "file", nargs="?", default="-", help="- (the default): standard output or input"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["way"] == "export":
                self._export(options["file"])
            else:
                self._import(options["file"])
        except (RefusedError, OSError) as error:
            raise CommandError(str(error)) from error

    def _export(self, name: str) -> None:
        if name == "-":
            configuration.write(self.stdout, now=clock.now())  # type: ignore[arg-type]
            return
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as target:
            count = configuration.write(target, now=clock.now())
        self.stdout.write(f"{count} users written to {name}.")

    def _import(self, name: str) -> None:
        text = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        made = configuring.set_up(users=configuring.read(text), now=clock.now())
        self.stdout.write(
            f"Made: {made.users} users. Made or changed: {made.preferences} preferences, "
            f"{made.watches} watches, {made.channels} channels."
        )
        for each in made.missing:
            self.stdout.write(f"To be made anew, for its secrets are not in the file: {each}")

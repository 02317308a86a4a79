"""`manage.py settle_restored`: what `restore` does to a database that other tools have restored."""

import datetime as dt
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from stalkerr import clock
from workers.backups.services import find_stored
from workers.backups.settling import settle


def moment(text: str) -> dt.datetime:
    found = dt.datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


class Command(BaseCommand):
    help = (
        "Makes a database fit to work with that was restored by other tools than manage.py restore: "
        "nothing that may have been told since is told again. Run it before web and workers."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--taken-at",
            type=moment,
            required=True,
            help="the moment of the backup, as 2026-11-28T02:00",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("upgrade")
        settled = settle(taken_at=options["taken_at"], now=clock.now())
        find_stored(now=clock.now())
        self.stdout.write(
            f"{settled.events} pieces of news and {settled.messages} promises and messages wait for a "
            f"person; {settled.left} had left since."
        )

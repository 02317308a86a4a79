"""`manage.py demo`: the main job against a made-up store, to look at."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workers.demo.report import Report
from workers.demo.show import play
from workers.launch import LaunchError, naming_a_full_disk


class Command(BaseCommand):
    help = "Shows the main job with a made-up store and reader, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="end by itself, 1 if it failed")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        try:
            with naming_a_full_disk():
                went_well = play(Report(), once=once)
        except LaunchError as error:
            raise CommandError(str(error)) from error
        if not went_well:
            raise CommandError("The demo did not go as it must.")

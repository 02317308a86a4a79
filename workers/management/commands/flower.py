"""`manage.py flower`: tasks and workers as a page, behind a door, looking only."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from workers import flower


class Command(BaseCommand):
    help = "Shows tasks and workers in the browser (FLOWER_ADDRESS, FLOWER_USER, FLOWER_PASSWORD)."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            flower.start()
        except flower.NoDoorError as error:
            raise CommandError(str(error)) from error

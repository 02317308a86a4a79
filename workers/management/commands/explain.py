"""`manage.py explain`: why a reader heard of a title, or did not."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from catalog.marketplaces import MARKETPLACES
from catalog.models import Watch
from scraping import fields
from stalkerr import clock, sql
from workers.explain import Way, explain, verdict

_MARKS = {"passed": "ok", "stopped": "STOP", "unknown": "?"}


class Command(BaseCommand):
    help = "Shows the way of a title to a watch, or where and why it stopped. Changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("watch", metavar="WATCH", help="The watch's id.")
        parser.add_argument("asin", metavar="ASIN")
        parser.add_argument(
            "--marketplace", help="Default: those of the watch's that showed the title."
        )
        parser.add_argument("--json", action="store_true", help="One object.")

    def handle(self, *args: Any, **options: Any) -> None:
        asin = fields.asin(options["asin"])
        if asin is None:
            raise CommandError(f"{options['asin']!r} is not an ASIN: ten capitals and digits.")
        marketplace = options["marketplace"]
        if marketplace not in (None, *MARKETPLACES):
            known = " ".join(MARKETPLACES)
            raise CommandError(f"{marketplace!r} is no marketplace; they are {known}.")
        with transaction.atomic():
            sql.rows("SET TRANSACTION READ ONLY")
            watch = _watch(options["watch"])
            ways = explain(watch=watch, asin=asin, marketplace=marketplace, now=clock.now())
        if options["json"]:
            self.stdout.write(json.dumps(_object(watch, asin, ways), indent=2))
        else:
            self._show(asin, ways)

    def _show(self, asin: str, ways: list[Way]) -> None:
        for way in ways:
            self.stdout.write(f"{asin} in {way.marketplace}")
            for step in way.steps:
                self.stdout.write(f"  {_MARKS[step.mark]:<5} {step.name:<9} {step.text}")
        self.stdout.write(verdict(ways).verdict)


def _watch(number: str) -> Watch:
    found = Watch.objects.filter(id=int(number)).first() if _is_number(number) else None
    if found is None:
        raise CommandError(f"There is no watch {number}.")
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _object(watch: Watch, asin: str, ways: list[Way]) -> dict[str, Any]:
    final = verdict(ways)
    return {
        "watch": watch.pk,
        "asin": asin,
        "outcome": final.outcome,
        "verdict": final.verdict,
        "ways": [asdict(way) for way in ways],
    }

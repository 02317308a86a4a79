"""`manage.py live`: asks the real store a few questions, and says which of our claims hold."""

import json
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from catalog.marketplaces import MARKETPLACES
from scraping import fields
from scraping.live.asking import ask_all
from scraping.live.claims import CLAIMS, Claim, Finding, findings
from scraping.live.questions import QUESTIONS
from scraping.live.sights import Scope, Sights
from scraping.pace import pace_of
from stalkerr import clock

# Sold in every marketplace, with more than a page of titles, and series among them.
AUTHOR = "Stephen King"


class Command(BaseCommand):
    help = "Checks the real store against what we believe of it. Stores nothing; never run by CI."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--marketplace", default="us", choices=list(MARKETPLACES))
        parser.add_argument("--author", default=AUTHOR, help=f"A name; default: {AUTHOR}.")
        parser.add_argument("--series", default="", help="An ASIN; default: one of the author's.")
        parser.add_argument("--asin", default="", help="Default: a title of the author's.")
        parser.add_argument("--json", action="store_true", help="One object.")

    def handle(self, *args: Any, **options: Any) -> None:
        scope = Scope(
            marketplace=options["marketplace"],
            author=options["author"],
            series=_asin(options["series"]),
            asin=_asin(options["asin"]),
        )
        seconds = pace_of(scope.marketplace).interval.total_seconds() * len(QUESTIONS)
        self.stderr.write(f"Asking {scope.marketplace}, politely: about {seconds:.0f} seconds.")
        sights = Sights(scope, clock.now())
        ask_all(sights)
        if not sights.is_reached:
            why = next(iter(sights.silent.values()))
            raise CommandError(f"The store could not be reached: {why}.")
        self._show(sights, as_json=options["json"])

    def _show(self, sights: Sights, *, as_json: bool) -> None:
        found = findings(sights)
        if as_json:
            self.stdout.write(json.dumps(_object(sights, found), indent=2))
            return
        width = max(len(claim.text) for claim in CLAIMS)
        for claim, finding in found:
            self.stdout.write(f"{finding.verdict:<13}  {claim.text:<{width}}  {finding.evidence}")
        counts = Counter(finding.verdict for _, finding in found)
        self.stdout.write(
            f"{counts['holds']} hold, {counts['does not hold']} do not, {counts['not seen']} not"
            f" seen; {sights.requests} requests to {sights.scope.marketplace}."
        )


def _asin(text: str) -> str:
    """As stores write it; empty where nothing was named."""
    asin = fields.asin(text)
    if text and asin is None:
        raise CommandError(f"{text!r} is not an ASIN: ten capitals and digits.")
    return asin or ""


def _object(sights: Sights, found: list[tuple[Claim, Finding]]) -> dict[str, Any]:
    return {
        "marketplace": sights.scope.marketplace,
        "author": sights.scope.author,
        "series": sights.series,
        "asin": sights.asin,
        "requests": sights.requests,
        "claims": [
            {"claim": claim.text, "verdict": finding.verdict, "evidence": finding.evidence}
            for claim, finding in found
        ],
    }

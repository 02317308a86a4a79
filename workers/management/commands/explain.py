"""`manage.py explain`: why a reader heard of a title, or did not."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from catalog.explain import sold_in
from catalog.marketplaces import MARKETPLACES
from catalog.models import Watch
from scraping import fields
from stalkerr import clock
from workers.explain import Answer, Way, explain, explain_to, reading, verdict

_MARKS = {"passed": "ok", "stopped": "STOP", "unknown": "?"}


class Command(BaseCommand):
    help = """Shows the way of a title to a watch, or to all watches of a reader that it could
    concern, or where and why it stopped. Changes nothing."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("watch", metavar="WATCH", nargs="?", help="The watch's id.")
        parser.add_argument("asin", metavar="ASIN")
        parser.add_argument("--user", metavar="EMAIL", help="All of this reader's watches instead.")
        parser.add_argument(
            "--marketplace", help="Default: those of the watch's that showed the title."
        )
        parser.add_argument("--json", action="store_true", help="One object.")

    def handle(self, *args: Any, **options: Any) -> None:
        email, watch = options["user"], options["watch"]
        asin, marketplace = _asin(options["asin"]), _marketplace(options["marketplace"])
        if (watch is None) == (email is None):
            raise CommandError("Say either WATCH ASIN, or --user EMAIL ASIN.")
        with reading():
            if watch is None:
                shown = self._about_user(_user(email), asin, marketplace)
            else:
                shown = self._about_watch(_watch(watch), asin, marketplace)
        ways, last, facts = shown
        if options["json"]:
            self.stdout.write(json.dumps(facts, indent=2))
        else:
            self._show(ways, last)

    def _about_watch(
        self, watch: Watch, asin: str, marketplace: str | None
    ) -> tuple[Sequence[Way], str, dict[str, Any]]:
        ways = explain(watch=watch, asin=asin, marketplace=marketplace, now=clock.now())
        final = verdict(ways)
        facts = {
            "watch": watch.pk,
            "asin": asin,
            "outcome": final.outcome,
            "verdict": final.verdict,
            "ways": [_way(way) for way in ways],
        }
        return ways, final.verdict, facts

    def _about_user(
        self, user: User, asin: str, marketplace: str | None
    ) -> tuple[Sequence[Way], str, dict[str, Any]]:
        codes = [marketplace] if marketplace else sold_in(asin) or list(MARKETPLACES)
        places = [(code, asin) for code in codes]
        answer: Answer = explain_to(user_id=user.pk, places=places, watch_id=None, now=clock.now())
        facts = {
            "user": user.pk,
            "asin": asin,
            "outcome": answer.outcome,
            "summary": answer.summary,
            "ways": [{"watch": way.watch.pk, **_way(way)} for way in answer.ways],
            "left_out": answer.left_out,
        }
        return answer.ways, answer.summary, facts

    def _show(self, ways: Sequence[Way], last: str) -> None:
        for way in ways:
            self.stdout.write(f"{way.asin} in {way.marketplace}")
            for step in way.steps:
                self.stdout.write(f"  {_MARKS[step.mark]:<5} {step.name:<9} {step.text}")
        self.stdout.write(last)


def _asin(text: str) -> str:
    asin = fields.asin(text)
    if asin is None:
        raise CommandError(f"{text!r} is not an ASIN: ten capitals and digits.")
    return asin


def _marketplace(code: str | None) -> str | None:
    if code not in (None, *MARKETPLACES):
        known = " ".join(MARKETPLACES)
        raise CommandError(f"{code!r} is no marketplace; they are {known}.")
    return code


def _user(email: str) -> User:
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        raise CommandError(f"There is no user {email!r}.")
    return user


def _watch(number: str) -> Watch:
    found = Watch.objects.filter(id=int(number)).first() if _is_number(number) else None
    if found is None:
        raise CommandError(f"There is no watch {number}.")
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _way(way: Way) -> dict[str, Any]:
    return {
        "marketplace": way.marketplace,
        "steps": [asdict(step) for step in way.steps],
        "outcome": way.outcome,
        "verdict": way.verdict,
    }

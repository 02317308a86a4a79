"""A process of the drill tests/chaos/polite.py: asks a marketplace whenever it may.

Says `ready`, then the words of each question that was answered with "leave me alone".
"""

import datetime as dt
import sys
import time
from contextlib import closing
from itertools import count

from scraping.asking import Asker, Ending
from scraping.models import Visit
from scraping.sources.base import Query

MARKETPLACE = "us"
LONGEST_REST = 0.2  # seconds; who is sent away hammers on
# Django first: models can't be imported without it.
COMMAND = (
    sys.executable,
    "-c",
    "import django; django.setup(); from tests.chaos.guests import ask_for_ever; ask_for_ever()",
)


def ask_for_ever() -> None:
    """Ask by the very code that visits ask by, each time something else, until it is stopped."""
    number = sys.argv[1]
    with closing(
        Asker(source="audible_api", marketplace=MARKETPLACE, clock=_now, renew=_renew)
    ) as asker:
        _say("ready")
        for turn in count():
            words = f"guest{number}x{turn}"
            asker.ask(Query(MARKETPLACE, "keyword", words))
            if asker.ending:
                _obey(asker.ending, words)


def _obey(ending: Ending, words: str) -> None:
    if ending.outcome == Visit.Outcome.THROTTLED:
        _say(words)
    elif ending.wait is not None:
        time.sleep(min(ending.wait.total_seconds(), LONGEST_REST))


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _renew() -> bool:
    return True


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()

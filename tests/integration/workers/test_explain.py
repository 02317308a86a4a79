"""`manage.py explain`: the way of a title, from the target that looks for it to the message."""

import datetime as dt
import io
import json
import re
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from catalog.models import Watch, WatchQuery
from catalog.watching import end_watch
from scraping.emulator.server import Emulator
from scraping.models import Target, Visit
from tests.factories import make_audiobook, make_channel, make_target, make_watch
from tests.integration.scraping.conftest import AUTHOR, clock, emulator, watch
from tests.promises import fan_out
from tests.unit.test_docs import code_of
from tests.visits import HOUR, Clock, visit_all

__all__ = ["clock", "emulator", "watch"]

pytestmark = pytest.mark.django_db


def explain(watch: Watch | int | str, asin: str, **options: Any) -> str:
    out = io.StringIO()
    number = watch.pk if isinstance(watch, Watch) else watch
    call_command("explain", str(number), asin, stdout=out, **options)
    return out.getvalue()


def told(watch: Watch | int | str, asin: str, **options: Any) -> dict[str, Any]:
    found = json.loads(explain(watch, asin, json=True, **options))
    assert isinstance(found, dict)
    return found


def steps(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(step["name"], step["mark"]) for step in found["ways"][0]["steps"]]


def test_the_whole_way_of_a_title(watch: Watch, emulator: Emulator, clock: Clock) -> None:
    make_channel(watch.user, name="phone")
    asin = emulator.announce("us", AUTHOR, "Glass Tide")
    assert visit_all(clock) == ["announced"]
    fan_out(clock.now)
    found = told(watch, asin)
    assert steps(found) == [
        *((name, "passed") for name in ("watch", "target", "visit", "title")),
        *((name, "passed") for name in ("kind", "language", "keys")),
        *((name, "passed") for name in ("news", "match", "delivery")),
    ]
    assert found["outcome"] == "waiting"
    assert found["verdict"].startswith('On its way (us): promised to webhook channel "phone"')
    assert explain(watch, asin.lower()).splitlines()[-1] == found["verdict"]


def test_back_catalogue_is_no_news(watch: Watch, emulator: Emulator, clock: Clock) -> None:
    make_channel(watch.user)
    (asin,) = emulator.stock("us", AUTHOR, 1)
    assert visit_all(clock) == []
    found = told(watch, asin)
    assert found["outcome"] == "stopped"
    assert "back catalogue" in found["verdict"]


def test_what_the_brake_holds_says_so(watch: Watch, emulator: Emulator, clock: Clock) -> None:
    make_channel(watch.user)
    asins = [emulator.announce("us", AUTHOR) for _ in range(51)]
    visit_all(clock)
    assert "held for a person" in told(watch, asins[0])["verdict"]


@pytest.mark.parametrize(
    ("fields", "named", "said"),
    [
        ({"query": "Ada Stranger"}, "keys", "author~ada stranger"),
        ({"languages": ["german"]}, "language", "asks for german"),
        ({"hidden": ["part"]}, "kind", "the watch hides part"),
        ({"excluded_words": ["tide"]}, "words", "has tide, which the watch excludes"),
        ({"kind": "keyword", "query": "glass wave"}, "words", "lacks wave"),
        ({"kind": "keyword", "query": "waves"}, "keys", "the title has word:1, word:2"),
        ({"kind": "asin", "query": "B0GLASS002"}, "keys", "asks for asin:B0GLASS002"),
        ({"muted": True}, "watch", "is muted"),
        ({"event_kinds": ["out_now"]}, "match", "does not hear this kind"),
        ({"is_active": False}, "match", "not heard before its first complete pass"),
        ({}, "route", "no channel"),
    ],
)
def test_where_it_stopped(
    fields: dict[str, Any], named: str, said: str, alice: User, now: dt.datetime
) -> None:
    facts = {"query": "Ada Example", "hidden": []} | fields
    watch = make_watch(alice, facts.pop("query"), now=now, **facts)
    if named != "route":
        make_channel(alice)
    make_audiobook(now=now + HOUR, asin="B0GLASS001", title="Glass Tide (Part 1 of 2)")
    fan_out(now + HOUR)
    found = told(watch, "B0GLASS001")
    assert found["outcome"] == "stopped"
    assert found["verdict"].startswith(f"Stopped at {named} (us): ")
    assert said in found["verdict"]


def test_the_example_in_the_docs_is_what_people_see(
    watch: Watch, emulator: Emulator, clock: Clock
) -> None:
    make_channel(watch.user)
    emulator.announce("us", AUTHOR, "Glass Tide (Part 1 of 2)", asin="B0GLASS001")
    visit_all(clock)
    (example,) = code_of("docs/howto/why-did-i-not-hear-of-it.md", "text")
    assert timeless(explain(watch, "B0GLASS001")) == timeless(example)


def timeless(text: str) -> str:
    """Without what differs from run to run."""
    days = re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d UTC)?", "DAY", text)
    return re.sub(r"watch +\d+:", "watch N:", days)


# -- never seen ------------------------------------------------------------------------------------
def visited(watch: Watch, now: dt.datetime, **fields: Any) -> Target:
    """A target of the watch with one visit, all well but for `fields`."""
    query = WatchQuery.objects.get(watch=watch)
    target = make_target(query.query, now=now, visited_at=now, completed_at=now)
    values = {"outcome": "found", "complete": True, "pages": 1, "products": 3} | fields
    Visit.objects.create(target=target, started_at=now, finished_at=now, **values)
    return target


@pytest.mark.parametrize(
    ("fields", "outcome", "said"),
    [
        ({}, "stopped", "no complete pass showed it"),
        ({"complete": False}, "unknown", "was cut short"),
        ({"outcome": "failed", "complete": False, "detail": "503"}, "unknown", '" failed'),
        ({"outcome": "throttled", "complete": False}, "unknown", "was sent away"),
        ({"capped": True, "products": 500}, "unknown", "shows only 500 titles"),
        ({"others": 7}, "unknown", "7 answers to"),
    ],
)
def test_why_a_title_was_never_seen(
    fields: dict[str, Any], outcome: str, said: str, alice: User, now: dt.datetime
) -> None:
    watch = make_watch(alice, now=now)
    visited(watch, now, **fields)
    found = told(watch, "B0GLASS001")
    assert found["outcome"] == outcome
    assert said in found["verdict"]


def test_a_title_listed_without_a_name_is_not_kept_yet(alice: User, now: dt.datetime) -> None:
    watch = make_watch(alice, now=now)
    target = visited(watch, now)
    Target.objects.filter(id=target.id).update(asins=["B0GLASS001"])
    assert "without a title" in told(watch, "B0GLASS001")["verdict"]


def test_before_the_first_visit_nobody_can_know(alice: User, now: dt.datetime) -> None:
    watch = make_watch(alice, now=now, is_active=False)
    found = told(watch, "B0GLASS001")
    assert ("target", "unknown") in steps(found)
    make_target(now=now)
    found = told(watch, "B0GLASS001")
    assert "was not visited yet" in found["verdict"]


def test_marketplaces_are_those_that_showed_it_unless_one_is_named(
    alice: User, now: dt.datetime
) -> None:
    watch = make_watch(alice, now=now, marketplaces=["us", "uk", "de"])
    make_audiobook(now=now + HOUR, asin="B0GLASS001", marketplace="uk")
    places = [way["marketplace"] for way in told(watch, "B0GLASS001")["ways"]]
    assert places == ["uk"]
    places = [way["marketplace"] for way in told(watch, "B0GLASS002")["ways"]]
    assert places == ["us", "uk", "de"]
    found = told(watch, "B0GLASS001", marketplace="fr")
    assert found["verdict"].startswith("Stopped at watch (fr): does not look in fr")
    assert "it is known in uk" in found["ways"][0]["steps"][-1]["text"]


# -- what can't be asked ---------------------------------------------------------------------------
@pytest.mark.parametrize("watch_id", ["0", "999999999", "-1", "two", "9" * 40, "\uff11"])
def test_an_unknown_watch_is_an_error(watch_id: str) -> None:
    with pytest.raises(CommandError, match="There is no watch"):
        call_command("explain", "--", watch_id, "B0GLASS001")


@pytest.mark.parametrize("asin", ["", "B0", "B0GLASS0011", "B0GLASS-01", "B0GLÄSS001"])
def test_a_malformed_asin_is_an_error(asin: str, alice: User, now: dt.datetime) -> None:
    watch = make_watch(alice, now=now)
    with pytest.raises(CommandError, match="is not an ASIN"):
        explain(watch, asin)


def test_an_unknown_marketplace_is_an_error(alice: User, now: dt.datetime) -> None:
    with pytest.raises(CommandError, match="is no marketplace"):
        explain(make_watch(alice, now=now), "B0GLASS001", marketplace="xx")


def test_a_deleted_watch_says_so(alice: User, now: dt.datetime) -> None:
    watch = make_watch(alice, now=now)
    end_watch(watch=watch, now=now)
    assert "was deleted" in told(watch, "B0GLASS001")["verdict"]


def test_it_can_change_nothing(
    alice: User, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard READ ONLY: whatever comes to be called from here can't write."""
    watch = make_watch(alice, now=now)

    def write(**_: object) -> None:
        Watch.objects.filter(id=watch.id).update(muted=True)

    monkeypatch.setattr("workers.management.commands.explain.explain", write)
    with pytest.raises(DatabaseError, match="read-only transaction"):
        explain(watch, "B0GLASS001")


def test_it_asks_no_more_for_a_title_with_a_long_story(
    alice: User, bob: User, now: dt.datetime
) -> None:
    """Proves the guard MOST_EVENTS: a date that flapped a thousand times is not told in full."""
    make_channel(alice)
    watch = make_watch(alice, now=now)
    for turn in range(30):
        make_audiobook(
            now=now + turn * HOUR, asin="B0GLASS001", title="Glass Tide", out_in=90 + turn
        )
    with CaptureQueriesContext(
        connection,
    ) as few:
        found = told(watch, "B0GLASS001")
    assert [name for name, _ in steps(found)].count("news") == 20
    assert len(few) < 200

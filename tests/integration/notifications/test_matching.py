"""What each kind of watch hears and what it does not, from a listing to a promise."""

import dataclasses
import datetime as dt
from typing import Any

import pytest

from accounts.models import User
from catalog.listing import CreditLine, Listing, SeriesPlace
from catalog.marketplaces import store_date
from catalog.models import Audiobook, Contributor, Watch
from catalog.normalise import name_key
from catalog.services import record_listings
from catalog.watching import save_watch
from notifications import services
from notifications.models import Delivery
from tests.factories import make_channel, make_listing, make_watch
from tests.promises import fan_out

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
ADA, OTHER, PEN = "B00ADAONE1", "B00ADATWO2", "B00PENNAM3"
SERIES, NAMESAKE = "B0TIDESUS1", "B0TIDESUS2"
WATCHES: dict[str, dict[str, Any]] = {
    "author": {"query": "Ada Example", "asin": ADA},
    "series": {"query": "Tides", "asin": SERIES},
    "narrator": {"query": "Nora Reader"},
    "publisher": {"query": "Lantern House"},
    "genre": {"query": "18580606011"},
    "keyword": {"query": '"glass tide"'},
    "asin": {"query": "B0GLASS001"},
}
VOICE = CreditLine("Virtual Voice", None, "narrator")
HIDDEN: dict[str, dict[str, Any]] = {
    "podcast": {"content_type": "Podcast", "delivery_type": "PodcastParent"},
    "part": {"title": "Glass Tide (Part 1 of 3)"},
    "omnibus": {"title": "Glass Tide: Books 1-3"},
    "ai_voice": {"more_credits": (VOICE,)},
}
FOREIGN: dict[str, Any] = {"language": "german"}


def book(now: dt.datetime, *, days: int = 30, more_credits: Any = (), **facts: Any) -> Listing:
    """A title by Ada, read by Nora, in all that can be watched."""
    credits = (
        CreditLine("Ada Example", facts.pop("author", ADA), "author"),
        CreditLine("Nora Reader", None, "narrator"),
        *more_credits,
    )
    place = SeriesPlace(facts.pop("series", SERIES), "Tides", "1")
    facts = {"asin": "B0GLASS001", "title": "Glass Tide"} | facts
    listing = make_listing(
        series=[place],
        publisher="Lantern House",
        genres=(("18580606011", "Fantasy"),),
        release_date=store_date(facts.get("marketplace", "us"), now) + days * DAY,
        **facts,
    )
    return dataclasses.replace(listing, credits=credits)


def watch_of(kind: str, user: User, now: dt.datetime, **fields: Any) -> Watch:
    make_channel(user)
    fields = WATCHES[kind] | fields
    return make_watch(user, fields.pop("query"), kind=kind, now=now, **fields)


def promised(user: User, listing: Listing, now: dt.datetime, *traits: str) -> list[str]:
    """The kinds of news that a user is promised once the store shows this."""
    record_listings(listings=[listing], fetched_at=now + HOUR, now=now + HOUR)
    if traits:  # those that are known over editions only
        Audiobook.objects.update(traits=list(traits))
    fan_out(now + HOUR)
    mine = Delivery.objects.filter(user=user, state=Delivery.State.PENDING, notice=None)
    return list(mine.values_list("event__kind", flat=True))


# -- by itself -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WATCHES)
@pytest.mark.parametrize("facts", [{}, {"language": None}], ids=["english", "no language"])
def test_a_title_that_was_asked_for_is_promised_once(
    facts: dict[str, Any], kind: str, alice: User, now: dt.datetime
) -> None:
    watch_of(kind, alice, now)
    assert promised(alice, book(now, **facts), now) == ["announced"]
    assert promised(alice, book(now, **facts), now) == ["announced"]


@pytest.mark.parametrize("kind", WATCHES)
def test_the_back_catalogue_is_no_news(kind: str, alice: User, now: dt.datetime) -> None:
    watch_of(kind, alice, now)
    assert promised(alice, book(now, days=-400), now) == []


@pytest.mark.parametrize("kind", WATCHES)
@pytest.mark.parametrize("trait", [*HIDDEN, "reissue"])
def test_what_hides_by_itself_is_promised_only_where_it_was_asked_for_by_asin(
    trait: str, kind: str, alice: User, now: dt.datetime
) -> None:
    """Proves the guard hidden: without that predicate all of these would be promised."""
    watch_of(kind, alice, now)
    extra = [trait] if trait == "reissue" else []
    heard = promised(alice, book(now, **HIDDEN.get(trait, {})), now, *extra)
    assert heard == (["announced"] if kind == "asin" else [])


@pytest.mark.parametrize("kind", WATCHES)
def test_a_foreign_language_is_promised_only_where_it_was_asked_for_by_asin(
    kind: str, alice: User, now: dt.datetime
) -> None:
    """Proves the guard languages: without that predicate these would be promised."""
    watch_of(kind, alice, now)
    heard = promised(alice, book(now, **FOREIGN), now)
    assert heard == (["announced"] if kind == "asin" else [])


@pytest.mark.parametrize(
    ("kind", "facts"), [("author", {"author": OTHER}), ("series", {"series": NAMESAKE})]
)
def test_a_namesake_with_another_asin_is_not_promised(
    kind: str, facts: dict[str, Any], alice: User, now: dt.datetime
) -> None:
    watch_of(kind, alice, now)
    assert promised(alice, book(now, **facts), now) == []


@pytest.mark.parametrize("kind", ["author", "series"])
def test_a_title_that_carries_no_id_is_promised_by_name(
    kind: str, alice: User, now: dt.datetime
) -> None:
    watch_of(kind, alice, now)
    facts: dict[str, Any] = {kind: None}
    assert promised(alice, book(now, **facts), now) == ["announced"]


@pytest.mark.parametrize("kind", ["author", "series", "narrator", "publisher", "genre"])
def test_what_becomes_known_late_is_announced_to_those_who_watch_it(
    kind: str, alice: User, bob: User, now: dt.datetime
) -> None:
    watch_of(kind, alice, now)
    watch_of("keyword", bob, now)
    whole = book(now)
    sparse = dataclasses.replace(whole, credits=(), series=(), publisher=None, genres=())
    assert promised(alice, sparse, now) == []
    assert promised(alice, whole, now + HOUR) == ["announced"]
    assert Delivery.objects.filter(user=bob, notice=None).count() == 1


# -- by choice -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WATCHES)
@pytest.mark.parametrize("trait", [*HIDDEN, "reissue"])
def test_who_hides_nothing_hears_all(trait: str, kind: str, alice: User, now: dt.datetime) -> None:
    watch_of(kind, alice, now, hidden=[])
    extra = [trait] if trait == "reissue" else []
    assert promised(alice, book(now, **HIDDEN.get(trait, {})), now, *extra) == ["announced"]


@pytest.mark.parametrize("kind", WATCHES)
def test_who_asks_for_any_language_hears_all(kind: str, alice: User, now: dt.datetime) -> None:
    watch_of(kind, alice, now, languages=["any"])
    assert promised(alice, book(now, **FOREIGN), now) == ["announced"]


@pytest.mark.parametrize(
    ("languages", "language", "marketplace", "hears"),
    [
        ([], "english", "us", True),
        ([], "german", "us", False),
        ([], "german", "de", True),
        ([], "english", "de", False),
        (["any"], "german", "us", True),
        (["german"], "german", "us", True),
        (["german"], "english", "us", False),
        (["german", "english"], "english", "de", True),
        (["german"], None, "us", True),
    ],
)
def test_languages_are_the_stores_own_any_or_those_named(
    languages: list[str],
    language: str | None,
    marketplace: str,
    *,
    hears: bool,
    alice: User,
    now: dt.datetime,
) -> None:
    watch_of("author", alice, now, languages=languages, marketplaces=["us", "de"])
    listing = book(now, language=language, marketplace=marketplace)
    assert promised(alice, listing, now) == (["announced"] if hears else [])


@pytest.mark.parametrize(
    ("before", "after", "facts"),
    [
        ({"hidden": []}, {"hidden": ["omnibus"]}, HIDDEN["omnibus"]),
        ({"languages": ["any"]}, {"languages": []}, FOREIGN),
        ({"aliases": [OTHER]}, {"aliases": []}, {"author": OTHER}),
    ],
)
def test_who_asks_for_less_gets_no_more_of_what_waits(
    before: dict[str, Any],
    after: dict[str, Any],
    facts: dict[str, Any],
    alice: User,
    now: dt.datetime,
) -> None:
    watch = watch_of("author", alice, now, **before)
    assert promised(alice, book(now, **facts), now) == ["announced"]
    for name, value in after.items():
        setattr(watch, name, value)
    save_watch(watch=watch, now=now + 2 * HOUR)
    services.cancel_unwanted(now=now + 2 * HOUR)
    assert not Delivery.objects.filter(state=Delivery.State.PENDING, notice=None).exists()


# -- since when ----------------------------------------------------------------------------------


def test_a_watch_is_heard_since_the_first_of_its_queries_is(alice: User, now: dt.datetime) -> None:
    for asin, name in (PEN, "Pen Name"), (OTHER, "P. Name"):
        Contributor.objects.create(asin=asin, name=name, name_key=name_key(name))
    watch = watch_of("author", alice, now, aliases=[PEN, OTHER])
    assert watch.queries.filter(query="pen name").update(active_from=None) == 1
    assert watch.queries.filter(query="p. name").update(active_from=now + 5 * HOUR) == 1
    assert promised(alice, book(now), now) == ["announced"]
    assert Delivery.objects.get().watch_ids == [watch.id]

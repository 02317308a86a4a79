"""Authors of one name: whom a watch means, and who else is only told of."""

import dataclasses
import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Notice, User
from catalog.listing import CreditLine, Listing
from catalog.marketplaces import store_date
from catalog.models import Watch, WatchQuery
from catalog.people import choices, namesakes
from catalog.services import record_listings
from catalog.watching import activate, end_watch, save_watch
from scraping.models import Target
from scraping.services import sync_targets
from tests.concurrency import Paused, start_and_see_it_wait
from tests.factories import make_listing, make_watch
from tests.people import make_user

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
ADA, OTHER, PEN = "B00ADAONE1", "B00ADATWO2", "B00PENNAM3"


def book_of(
    asin: str | None, now: dt.datetime, *, name: str = "Ada Example", **facts: object
) -> Listing:
    """A title to come, by an author with an ASIN."""
    release_date = store_date("us", now) + 30 * DAY
    listing = make_listing(release_date=release_date, **facts)  # type: ignore[arg-type]
    return dataclasses.replace(listing, credits=(CreditLine(name, asin, "author"),))


def record(*listings: Listing, now: dt.datetime) -> None:
    record_listings(listings=listings, fetched_at=now, now=now)


def keys_of(watch: Watch) -> set[str]:
    return set(watch.keys.values_list("key", flat=True))


def asked_of(watch: Watch) -> set[tuple[str, str, str]]:
    return set(watch.queries.values_list("marketplace", "kind", "query"))


def first_pass(now: dt.datetime, marketplace: str = "us") -> int:
    return activate(marketplace=marketplace, kind="author", query="ada example", now=now)


# -- who is known --------------------------------------------------------------------------------


def test_authors_of_a_name_are_known_by_titles_latest_and_stores(now: dt.datetime) -> None:
    first = book_of(ADA, now, title="First")
    record(
        first,
        book_of(ADA, now, title="Later", marketplace="de", runtime_minutes=1),
        book_of(OTHER, now, title="Glass"),
        book_of(None, now, title="By nobody we know"),
        now=now,
    )
    later = dataclasses.replace(
        book_of(ADA, now, title="Much later"), release_date=store_date("us", now) + 300 * DAY
    )
    record(later, now=now)
    (one, two) = namesakes(["ada example"])["ada example"]
    assert (one.asin, one.name, one.titles, one.latest) == (ADA, "Ada Example", 3, "Much later")
    assert one.marketplaces == ("de", "us")
    assert (two.asin, two.titles, two.latest, two.marketplaces) == (OTHER, 1, "Glass", ("us",))


def test_a_translator_is_not_among_the_authors_of_a_name(now: dt.datetime) -> None:
    listing = book_of(ADA, now)
    translated = dataclasses.replace(
        listing, credits=(CreditLine("Ada Example", ADA, "translator"),)
    )
    record(translated, now=now)
    assert namesakes(["ada example"]) == {}


# -- whom a watch means --------------------------------------------------------------------------


def test_a_name_that_one_author_has_stands_for_that_author(alice: User, now: dt.datetime) -> None:
    record(book_of(ADA, now), now=now)
    watch = make_watch(alice, "ada exámple", now=now)
    assert (watch.asin, keys_of(watch)) == (ADA, {f"author:{ADA}", "author~ada example"})


def test_a_name_that_several_authors_have_takes_all_until_one_is_chosen(
    alice: User, now: dt.datetime
) -> None:
    record(book_of(ADA, now), book_of(OTHER, now), now=now)
    watch = make_watch(alice, now=now)
    everybody = {f"author:{ADA}", f"author:{OTHER}", "author~ada example"}
    assert (watch.asin, keys_of(watch)) == ("", everybody)
    assert {each.asin for each in choices([watch])[watch.id]} == {ADA, OTHER}
    watch.asin = OTHER
    save_watch(watch=watch, now=now)
    assert keys_of(watch) == {f"author:{OTHER}", "author~ada example"}
    assert choices([watch]) == {}


def test_a_choice_that_is_taken_back_stays_taken_back(alice: User, now: dt.datetime) -> None:
    record(book_of(ADA, now), now=now)
    watch = make_watch(alice, now=now)
    watch.asin = ""
    save_watch(watch=watch, now=now)
    assert watch.asin == ""


def test_a_first_pass_that_finds_one_author_settles_whom_a_name_means(
    alice: User, bob: User, now: dt.datetime
) -> None:
    watches = [make_watch(user, now=now, is_active=False) for user in (alice, bob)]
    record(book_of(ADA, now), now=now)
    assert first_pass(now) == 2
    for watch in watches:
        watch.refresh_from_db()
        assert (watch.asin, keys_of(watch)) == (ADA, {f"author:{ADA}", "author~ada example"})
    assert not Notice.objects.exists()


def test_a_first_pass_that_finds_several_asks_once_whom_the_name_means(
    alice: User, now: dt.datetime
) -> None:
    watch = make_watch(alice, now=now, is_active=False, marketplaces=["us", "uk"])
    record(book_of(ADA, now, title="Glass Tide"), book_of(OTHER, now), now=now)
    first_pass(now)
    first_pass(now, "uk")
    notice = Notice.objects.get()
    assert (notice.user, notice.subject) == (alice, "Which Ada Example do you mean?")
    assert all(part in notice.text for part in (ADA, OTHER, "Glass Tide", str(watch.id)))
    watch.refresh_from_db()
    assert watch.asin == ""


@pytest.mark.parametrize("fields", [{"muted": True}, {"ended": True}])
def test_muted_and_ended_watches_ask_nothing(
    fields: dict[str, bool], alice: User, now: dt.datetime
) -> None:
    watch = make_watch(alice, now=now, is_active=False, muted=fields.get("muted", False))
    if fields.get("ended"):
        Watch.objects.filter(id=watch.id).update(ended_at=now)
    record(book_of(ADA, now), book_of(OTHER, now), now=now)
    first_pass(now)
    assert not Notice.objects.exists()


def test_settling_costs_the_same_for_one_watch_and_for_many(now: dt.datetime) -> None:
    counts = []
    for number, name in ((1, "One Example"), (20, "Twenty Example")):
        for n in range(number):
            make_watch(make_user(f"u{number}-{n}"), name, now=now, is_active=False)
        record(book_of(None, now, name=name), now=now)
        asins = [f"B00{number:03d}AAAA", f"B00{number:03d}BBBB"]
        record(*(book_of(asin, now, name=name) for asin in asins), now=now)
        with CaptureQueriesContext(connection) as queries:
            activate(marketplace="us", kind="author", query=name.lower(), now=now)
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert Notice.objects.count() == 21


# -- who else turns up ---------------------------------------------------------------------------


def settled_watch(user: User, now: dt.datetime, **fields: Any) -> Watch:
    return make_watch(user, now=now, asin=ADA, **fields)


def test_another_author_of_the_name_is_told_of_once_and_not_learnt(
    alice: User, now: dt.datetime
) -> None:
    """Proves the guard resolution: learnt in spite of it, the other's titles would be delivered."""
    watch = settled_watch(alice, now)
    record(book_of(OTHER, now, title="Not Hers"), now=now)
    record(book_of(OTHER, now, title="Nor This"), now=now + HOUR)
    assert keys_of(watch) == {f"author:{ADA}", "author~ada example"}
    notice = Notice.objects.get()
    assert (notice.user, notice.subject) == (alice, "Another Ada Example")
    assert all(part in notice.text for part in ("Not Hers", OTHER, str(watch.id)))


def test_an_author_met_as_a_translator_first_is_told_of_as_well(
    alice: User, now: dt.datetime
) -> None:
    settled_watch(alice, now)
    listing = book_of(OTHER, now)
    credit = CreditLine("Ada Example", OTHER, "translator")
    record(dataclasses.replace(listing, credits=(credit,)), now=now)
    assert not Notice.objects.exists()
    record(book_of(OTHER, now, title="Her Own"), now=now + HOUR)
    assert "Her Own" in Notice.objects.get().text


@pytest.mark.parametrize(("is_active", "told"), [(True, 1), (False, 0)])
def test_a_watch_by_name_tells_of_a_second_author_whom_it_takes_in(
    *, is_active: bool, told: int, alice: User, now: dt.datetime
) -> None:
    watch = make_watch(alice, now=now, is_active=is_active)
    record(book_of(ADA, now), now=now)
    assert not Notice.objects.exists()
    record(book_of(OTHER, now, title="Glass Tide"), now=now + HOUR)
    assert {f"author:{ADA}", f"author:{OTHER}"} <= keys_of(watch)
    texts = list(Notice.objects.values_list("text", flat=True))
    assert len(texts) == told
    assert all(f"give watch {watch.id} the ASIN" in text for text in texts)


@pytest.mark.parametrize(
    "case", ["muted", "ended", "joined", "the same", "by another name", "sold elsewhere"]
)
def test_nobody_is_told_of_those_who_are_no_strangers(
    case: str, alice: User, now: dt.datetime
) -> None:
    cases: dict[str, dict[str, Any]] = {"muted": {"muted": True}, "joined": {"aliases": [OTHER]}}
    fields = cases.get(case, {})
    watch = settled_watch(alice, now, **fields)
    if case == "ended":
        end_watch(watch=watch, now=now)
    asin = ADA if case == "the same" else OTHER
    name = "Bea Sample" if case == "by another name" else "Ada Example"
    place = "de" if case == "sold elsewhere" else "us"
    record(book_of(asin, now, name=name, marketplace=place), now=now)
    assert not Notice.objects.exists()


def test_a_page_of_strangers_costs_what_one_costs(alice: User, now: dt.datetime) -> None:
    settled_watch(alice, now)
    counts = []
    for first, number in ((100, 1), (200, 20)):
        page = [book_of(f"B00STR{first + n:04d}", now) for n in range(number)]
        with CaptureQueriesContext(connection) as queries:
            record(*page, now=now)
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert Notice.objects.count() == 21


# -- aliases -------------------------------------------------------------------------------------


def test_an_alias_known_by_another_name_is_asked_for_by_it(alice: User, now: dt.datetime) -> None:
    record(book_of(PEN, now, name="Pen Name"), now=now)
    watch = make_watch(alice, now=now, asin=ADA, aliases=[PEN])
    assert keys_of(watch) == {f"author:{ADA}", f"author:{PEN}", "author~ada example"}
    assert asked_of(watch) == {("us", "author", "ada example"), ("us", "author", "pen name")}
    watch.aliases = []
    save_watch(watch=watch, now=now)
    assert keys_of(watch) == {f"author:{ADA}", "author~ada example"}
    assert asked_of(watch) == {("us", "author", "ada example")}


def test_an_alias_whose_name_becomes_known_later_is_asked_for_from_then_on(
    alice: User, now: dt.datetime
) -> None:
    watch = make_watch(alice, now=now, asin=ADA, aliases=[PEN])
    assert asked_of(watch) == {("us", "author", "ada example")}
    record(book_of(PEN, now, name="Pen Name"), now=now + HOUR)
    added = WatchQuery.objects.get(watch=watch, query="pen name")
    assert added.active_from == now  # as its watch: nobody asked for more


def test_a_name_that_is_settled_keeps_its_aliases(alice: User, now: dt.datetime) -> None:
    watch = make_watch(alice, now=now, aliases=[PEN], is_active=False)
    record(book_of(ADA, now), book_of(PEN, now), now=now)
    first_pass(now)
    watch.refresh_from_db()
    assert watch.asin == ADA
    assert keys_of(watch) == {f"author:{ADA}", f"author:{PEN}", "author~ada example"}


# -- targets -------------------------------------------------------------------------------------


def test_a_thousand_watches_of_one_author_share_one_target(alice: User, now: dt.datetime) -> None:
    watch = make_watch(alice, now=now, is_active=False)
    copies = [Watch(user=alice, kind="author", query="Ada Example") for _ in range(999)]
    Watch.objects.bulk_create(copies)
    WatchQuery.objects.bulk_create(
        WatchQuery(watch=copy, marketplace=query.marketplace, kind=query.kind, query=query.query)
        for copy in copies
        for query in watch.queries.all()
    )
    for spelling in ("ADA  example", " ada Example "):
        make_watch(alice, spelling, now=now, is_active=False)
    assert sync_targets(now=now) == 2
    asked = Target.objects.exclude(kind="due").values_list("marketplace", "kind", "query")
    assert list(asked) == [("us", "author", "ada example")]


# -- two at once ---------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_settling_a_name_waits_for_whoever_brings_ids_for_it() -> None:
    """Proves the guard names lock: without it the id that is not committed yet would be missed."""
    now = dt.datetime.now(dt.UTC)
    watch = make_watch(make_user("listener"), now=now, is_active=False)
    record(book_of(ADA, now), now=now)
    other = Paused(lambda: record(book_of(OTHER, now), now=now))
    settling = start_and_see_it_wait(lambda: first_pass(now))
    other.finish()
    settling.join()
    watch.refresh_from_db()
    assert watch.asin == ""
    assert keys_of(watch) == {f"author:{ADA}", f"author:{OTHER}", "author~ada example"}
    assert Notice.objects.filter(dedupe_key=f"choices:{watch.id}").exists()

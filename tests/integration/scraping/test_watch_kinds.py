"""What every way of asking hears of one book, over its whole life and all its editions: once."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import User
from catalog.models import Contributor, Series
from notifications.models import Delivery
from scraping import politeness
from scraping.emulator.server import Emulator
from tests.factories import make_channel, make_watch
from tests.promises import fan_out
from tests.visits import Clock, visit_all

pytestmark = pytest.mark.django_db

AUTHOR, NAMESAKE = "B00ADAONE1", "B00ADATWO2"
GENRE = "90100000131"
DAY = dt.timedelta(days=1)
BOOK: dict[str, Any] = {
    "title": "Glass Tide",
    "asin": "B0GLASS001",
    "author_asin": AUTHOR,
    "subtitle": "Tides, Book 2",
    "series": "Tides",
    "sequence": "2",
    "narrators": ["Nora Reader"],
    "publisher": "Lantern House",
    "genre": GENRE,
    "runtime_minutes": 600,
}
JAPANESE: dict[str, Any] = BOOK | {"title": "硝子の図書館", "series": "潮騒の地図"}


@dataclass(frozen=True)
class Ask:
    """One way to ask for BOOK; `asin`: its author's or its series' is given, not only a name."""

    kind: str
    query: str
    asin: bool = False
    marketplaces: tuple[str, ...] = ("us", "uk")
    book: dict[str, Any] = field(default_factory=lambda: BOOK)


ASKS = {
    "author by name": Ask("author", "Ada Example"),
    "author by ASIN": Ask("author", "Ada Example", asin=True),
    "series by title": Ask("series", "Tides"),
    "series by ASIN": Ask("series", "Tides", asin=True),
    "narrator": Ask("narrator", "Nora Reader"),
    "publisher": Ask("publisher", "Lantern House"),
    "genre": Ask("genre", GENRE),
    "keyword": Ask("keyword", "tide glass"),
    "phrase": Ask("keyword", '"glass tide"'),
    "keyword in Japanese": Ask("keyword", "図書館", marketplaces=("jp",), book=JAPANESE),
    "phrase in Japanese": Ask("keyword", '"硝子の図"', marketplaces=("jp",), book=JAPANESE),
    "title by ASIN": Ask("asin", "B0GLASS001"),
}
NOT_WANTED: dict[str, dict[str, Any]] = {
    "foreign edition": {"language": "german"},
    "podcast": {"kind": "podcast"},
    "omnibus": {"kind": "omnibus"},
    "part": {"kind": "part"},
    "AI voice": {"kind": "ai_voice"},
    "back catalogue": {"release_date": "2019-05-02", "launched_at": "2019-01-02"},
}


@pytest.fixture
def emulator(settings: Settings, clock: Clock) -> Iterator[Emulator]:
    with Emulator(seed=7, marketplaces=("us", "uk", "jp"), authors=1, now=clock) as emulator:
        settings.STORE_URL = emulator.base_url
        settings.STORE_REQUEST_INTERVAL = settings.STORE_SAME_URL_INTERVAL = dt.timedelta()
        politeness._redis().flushdb()
        yield emulator


@dataclass
class Listener:
    """Somebody who asked in one way, and whose baseline is over."""

    user: User
    ask: Ask
    emulator: Emulator
    clock: Clock

    def announce(self, **facts: Any) -> str:
        """The book, or one that differs in these facts; in the first marketplace asked for."""
        return self.emulator.announce(
            self.ask.marketplaces[0], "Ada Example", **(self.ask.book | facts)
        )

    def hears(self) -> list[str]:
        """The kinds of all news promised so far, some visits and sweeps later."""
        for _ in range(2):
            visit_all(self.clock)
            fan_out(self.clock.now)
        mine = Delivery.objects.filter(user=self.user, notice=None).order_by("id")
        return list(mine.values_list("event__kind", flat=True))


def listen(user: User, ask: Ask, emulator: Emulator, clock: Clock, **fields: Any) -> Listener:
    """Of a store that has an older volume by everybody concerned."""
    make_channel(user)
    for code in ask.marketplaces:
        facts = {**ask.book, "title": f"Low {code}", "asin": None, "sequence": "1"}
        facts["subtitle"] = f"{facts['series']}, Book 1"
        day = emulator.today(code) - 90 * DAY
        emulator.announce(code, "Ada Example", **(facts | {"release_date": day}))
    if ask.asin:  # known, since somebody else has asked for it
        scout = make_watch(user, "Low", kind="keyword", now=clock.now, is_active=False, muted=True)
        visit_all(clock)
        scout.delete()
    known = {"author": Contributor.objects.filter(asin=AUTHOR), "series": Series.objects.all()}
    asin = known[ask.kind].values_list("asin", flat=True)[0] if ask.asin else ""
    make_watch(
        user,
        ask.query,
        kind=ask.kind,
        asin=asin,
        marketplaces=list(ask.marketplaces),
        now=clock.now,
        is_active=False,
        **fields,
    )
    listener = Listener(user, ask, emulator, clock)
    assert listener.hears() == []
    return listener


@pytest.fixture(params=ASKS)
def listener(
    request: pytest.FixtureRequest, alice: User, emulator: Emulator, clock: Clock
) -> Listener:
    return listen(alice, ASKS[request.param], emulator, clock)


def test_one_book_in_all_its_editions_is_one_delivery(listener: Listener) -> None:
    """Proves the guard Told by work: each edition would be told as a new book."""
    emulator, (code, *elsewhere) = listener.emulator, listener.ask.marketplaces
    asin = listener.announce()
    assert listener.hears() == ["announced"]
    emulator.fill_in(code, asin)
    assert listener.hears() == ["announced"]
    for other in elsewhere:
        emulator.sell_also(code, asin, other)
    again = emulator.reissue(code, asin, release_date=emulator.today(code) + 40 * DAY)
    assert listener.hears() == ["announced"]
    assert again != asin


def test_each_piece_of_its_news_is_told_once(listener: Listener) -> None:
    emulator, code = listener.emulator, listener.ask.marketplaces[0]
    asin = listener.announce()
    assert listener.hears() == ["announced"]
    emulator.move_date(code, asin, emulator.today(code) + 70 * DAY)
    assert listener.hears() == ["announced", "date_moved"]
    emulator.release(code, asin)
    assert listener.hears() == ["announced", "date_moved", "out_now"]


def test_nothing_of_what_is_hidden_or_long_out_is_told(listener: Listener) -> None:
    for number, (case, facts) in enumerate(NOT_WANTED.items()):
        title = f"{listener.ask.book['title']} {case}"
        facts = {
            "title": title,
            "asin": f"B0NOTASK{number:02}",
            "sequence": str(5 + number),
        } | facts
        listener.announce(**facts)
    assert listener.hears() == []


@pytest.mark.parametrize("way", ["author by name", "author by ASIN"])
def test_a_namesake_is_somebody_else(
    way: str, alice: User, emulator: Emulator, clock: Clock
) -> None:
    listener = listen(alice, ASKS[way], emulator, clock)
    listener.announce(author_asin=NAMESAKE)
    assert listener.hears() == []


@pytest.mark.parametrize("way", ["narrator", "publisher", "keyword", "series by title", "genre"])
def test_what_only_resembles_it_is_not_told(
    way: str, alice: User, emulator: Emulator, clock: Clock
) -> None:
    """The store's searches are fuzzy: a family name, a word, a category above will do for them."""
    listener = listen(alice, ASKS[way], emulator, clock)
    listener.announce(
        title="Glass Harbour",
        narrators=["Bea Reader"],
        publisher="Lantern Press",
        series="Tides of Salt",
        subtitle="Tides of Salt, Book 2",
        genre="90100000013",
    )
    assert listener.hears() == []


@pytest.mark.parametrize("title", ["図書室の地図", "館の書図"])
def test_japanese_words_are_not_put_together_from_their_letters(
    title: str, alice: User, emulator: Emulator, clock: Clock
) -> None:
    listener = listen(alice, ASKS["keyword in Japanese"], emulator, clock)
    listener.announce(title=title)
    assert listener.hears() == []


@pytest.mark.parametrize("case", ["podcast", "omnibus", "part", "AI voice"])
def test_who_hides_nothing_hears_of_everything(
    case: str, alice: User, emulator: Emulator, clock: Clock
) -> None:
    listener = listen(alice, ASKS["author by name"], emulator, clock, hidden=[])
    listener.announce(**NOT_WANTED[case])
    assert listener.hears() == ["announced"]


def test_an_unknown_language_is_shown(alice: User, emulator: Emulator, clock: Clock) -> None:
    """Proves the guard `language is ''`: a sparse pre-order would be dropped."""
    listener = listen(alice, ASKS["author by name"], emulator, clock)
    emulator.change("us", listener.announce(), language=None)
    assert listener.hears() == ["announced"]


def test_who_asks_by_edition_hears_of_each(alice: User, emulator: Emulator, clock: Clock) -> None:
    listener = listen(alice, ASKS["author by name"], emulator, clock, per_edition=True)
    asin = listener.announce()
    emulator.sell_also("us", asin, "uk")
    assert listener.hears() == ["announced", "announced"]

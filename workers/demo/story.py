"""What the store does in the demo, and who must hear of it; and what nobody must hear of."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from scraping.emulator.server import Emulator
from workers.demo.receivers import News

AUTHOR, NAMESAKE = "Tamsin Marbeck", "Corin Marbeck"
SERIES_AUTHOR, SERIES = "Jorun Vantongeren", "The Saltwater Almanac"
GERMAN_AUTHOR = "Petra Steinmöwe"
PHRASE_AUTHOR, PHRASE = "Osric Pellwether", "glass lantern"

MARKETPLACES = ("us", "uk", "de")
EVERYWHERE = ("email", "webhook", "discord")


@dataclass(frozen=True, slots=True)
class Act:
    """Something the store did, in `words`; of news also its kind, title and who must hear it."""

    words: str
    kind: str = ""
    title: str = ""
    channels: tuple[str, ...] = ()

    def news(self) -> list[News]:
        """What has to arrive, once each."""
        return [News(channel, self.kind, self.title) for channel in self.channels]


class Stock:
    """Fills the shelves before anybody looks; knows the titles that acts are about by ASIN."""

    def __init__(self, store: Emulator) -> None:
        us = store.today("us")
        for marketplace in ("us", "uk"):
            store.stock(marketplace, AUTHOR, 4)
        store.stock("us", NAMESAKE, 2)
        store.stock("us", PHRASE_AUTHOR, 2)
        store.stock("de", GERMAN_AUTHOR, 3)
        for years, title in ((2, "The Silent Tide"), (1, "The Copper Tide")):
            out = us - dt.timedelta(days=365 * years)
            store.announce(
                "us", SERIES_AUTHOR, title, series=SERIES, release_date=out, sparse=False
            )
        self.in_series = store.announce("us", SERIES_AUTHOR, "The Winter Tide", series=SERIES)
        self.series = store.shelves["us"].find_series(SERIES).asin
        self.by_author = store.announce("us", AUTHOR, "The Borrowed Beekeeper")
        self.british = store.announce("uk", AUTHOR, "The Amber Staircase")
        self.german = store.announce("de", GERMAN_AUTHOR, "Die stille Sternwarte")


def perform(store: Emulator, stock: Stock) -> Iterator[Act]:
    """The acts; each has just happened when it is yielded."""
    store.throttle("us", retry_after=1, requests=1)
    yield Act("us: sends the next visitor away (429, Retry-After: 1)")
    store.break_("captcha", "uk", requests=1)
    yield Act("uk: shows the next visitor a captcha")

    title = "The Thirteenth Cartographer"
    store.announce("us", AUTHOR, title)
    yield Act(f"us: announces “{title}” by {AUTHOR}", "announced", title, EVERYWHERE)
    title, day = "The Amber Staircase", store.today("uk") + dt.timedelta(days=75)
    store.move_date("uk", stock.british, day)
    yield Act(f"uk: moves “{title}” to {day}", "date_moved", title, EVERYWHERE)
    title = "Die stille Sternwarte"
    store.release("de", stock.german)
    yield Act(f"de: releases “{title}” today", "out_now", title, EVERYWHERE)
    title = "The Winter Tide"
    store.withdraw("us", stock.in_series)
    yield Act(f"us: withdraws “{title}”", "withdrawn", title, EVERYWHERE)
    title = "The Glass Lantern Murders"
    store.announce("us", PHRASE_AUTHOR, title)
    yield Act(f"us: announces “{title}” by {PHRASE_AUTHOR}", "announced", title, ("discord",))

    store.announce("us", NAMESAKE, "The Crooked Orchard")
    yield Act(f"us: announces “The Crooked Orchard” by {NAMESAKE}, whom nobody watches")
    store.stock("us", AUTHOR, 1)
    yield Act(f"us: lists an old book by {AUTHOR} under a new number")
    store.fill_in("us", stock.by_author)
    yield Act("us: adds narrator and length to “The Borrowed Beekeeper”, announced earlier")

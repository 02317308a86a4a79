"""The product on a stage: an emulated store, people who watch, visits in any order; and its model."""

import datetime as dt
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db.models import F

from catalog import brake
from catalog.models import ReleaseEvent, Watch
from catalog.services import mark_out_by_date, publish_events
from catalog.watching import save_watch
from notifications.merging import merge_due
from notifications.models import Delivery
from notifications.retelling import retell
from notifications.services import fan_out_due
from scraping import politeness, services
from scraping.emulator import questions
from scraping.emulator.server import Emulator
from scraping.models import Target
from tests.factories import make_channel
from tests.people import make_user
from tests.story import model
from tests.story.model import Model, Place, Said, Title
from tests.visits import Clock

DAY = dt.timedelta(days=1)
MARKETPLACES = ("us", "uk")
AUTHORS = ("Ada Marlowe", "Ben Corrigan")
SERIES, KEYWORD, NARRATOR = "Salt Roads", "zephyr", "Nora Quill"
# Longer than this a pass that was cut short is begun anew.
BEGUN_ANEW = dt.timedelta(minutes=61)
LEASES_RUN_OUT = dt.timedelta(minutes=5)
_ASKED_BY = {"author": "author", "narrator": "narrator", "keyword": "keywords"}


class VisitorDied(BaseException):
    """The process of a visit is gone: nothing in it gets to see this."""


class TickingClock(Clock):
    """No two moments are the same."""

    def __call__(self) -> dt.datetime:
        self.now += dt.timedelta(milliseconds=1)
        return self.now


@dataclass
class Cut:
    """What happens to a visit when its listing's first `after` requests were answered.

    "die" and "lose" (its lease) strike when what was answered is stored, "forget" before that;
    everything else is a mood of the store.
    """

    how: str
    after: int

    def known(self, pages: list[list[Title]]) -> list[list[Title]]:
        """The pages that were stored."""
        is_last_lost = self.how == "forget" and self.after > 0
        return pages[: self.after - is_last_lost]


class Stage:
    """The same things done to the product and to the model; `check` holds one against the other."""

    def __init__(self, emulator: Emulator, clock: TickingClock) -> None:
        self.emulator, self.clock = emulator, clock
        self.model = Model()
        self.troubled: set[str] = set()
        self.users: dict[int, str] = {}
        self.looked_back_at = clock.now
        for marketplace in MARKETPLACES:
            for author in AUTHORS:
                for asin in emulator.stock(marketplace, author, 2):
                    self._put_up(marketplace, asin, asin)

    # -- the store's side ------------------------------------------------------------------------
    def announce(self, marketplace: str, author: str, name: str, **facts: object) -> Title:
        asin = self.emulator.announce(marketplace, author, name, **facts)  # type: ignore[arg-type]
        return self._put_up(marketplace, asin, asin)

    def sell_also(self, title: Title) -> Title:
        """The same book in the other marketplace."""
        elsewhere = next(code for code in MARKETPLACES if code != title.marketplace)
        asin = self.emulator.sell_also(title.marketplace, title.asin, elsewhere)
        return self._put_up(elsewhere, asin, title.book)

    def read_again(self, title: Title) -> None:
        """Take over what a verb changed."""
        self._put_up(title.marketplace, title.asin, title.book)

    def _put_up(self, marketplace: str, asin: str, book: str) -> Title:
        shelf = self.emulator.shelves[marketplace]
        product = shelf.get(asin)
        title = self.model.store.setdefault(
            asin,
            Title(asin, marketplace, book, product.title, product.authors[0].name),
        )
        title.series = next((each.asin for each, _ in shelf.series_of(asin)), "")
        title.narrators = frozenset(each.name for each in product.narrators)
        title.date, title.is_withdrawn = product.release_date, product.is_withdrawn
        return title

    def pages(self, place: Place) -> list[list[Title]]:
        """What each request of a healthy visit shows of what its query asks for."""
        marketplace, kind, query = place
        if kind == "due":
            due = self.model.due(marketplace, self.clock.now)
            return [self._on_sale(due)] if due else []
        if kind == "asin":
            return [self._on_sale([query])]
        shelf = self.emulator.shelves[marketplace]
        if kind == "series":
            return [[], self._on_sale(shelf.series[query].children)]
        asked = {_ASKED_BY[kind]: query}
        found = [each.asin for each in questions.listed(shelf, asked, "-ReleaseDate")]
        asks = model.Watch("", kind, query, (marketplace,))
        return [
            [
                title
                for title in self._on_sale(found[first : first + 50])
                if asks.is_about(title, title.narrators)
            ]
            for first in range(0, len(found) + 1, 50)
        ]

    def _on_sale(self, asins: Iterable[str]) -> list[Title]:
        titles = (self.model.store[asin] for asin in asins if asin in self.model.store)
        return [each for each in titles if not each.is_withdrawn]

    def upset(self, marketplace: str, mood: str) -> None:
        self.troubled.add(marketplace)
        if mood.isdigit():
            self.emulator.throttle(marketplace, status=int(mood), retry_after=0)
        else:
            self.emulator.break_(mood, marketplace)

    def heal(self, marketplace: str) -> None:
        self.troubled.discard(marketplace)
        self.emulator.heal(marketplace)

    # -- the watchers' side ----------------------------------------------------------------------
    def watch(self, asked: model.Watch, **fields: object) -> None:
        """The product's watch and the model's, of a user with a channel of their own."""
        user = make_user(asked.user)
        self.users[user.id] = asked.user
        make_channel(user)
        facts = {"query": asked.query, "marketplaces": list(asked.marketplaces)} | fields
        watch = Watch(user=user, kind=asked.kind, per_edition=asked.per_edition, **facts)
        watch.event_kinds = list(asked.event_kinds)
        save_watch(watch=watch, now=self.clock())
        self.model.watches.append(asked)

    def places(self) -> list[Place]:
        """All that can be visited."""
        asked = {place for watch in self.model.watches for place in watch.places()}
        return sorted(asked | {(code, "due", "") for code in MARKETPLACES})

    # -- visits ----------------------------------------------------------------------------------
    def visit(
        self,
        places: Iterable[Place],
        *,
        rng: random.Random,
        later: dt.timedelta,
        lose_hints: bool = False,
        cut: Cut | None = None,
    ) -> None:
        """Visit these in a random order, the last of them `cut` short."""
        self.pass_time(later)
        services.sync_targets(now=self.clock.now)
        self.model.begin(self.clock.now)
        wanted = set(places)
        ids: dict[int, Place] = {
            target.id: (target.marketplace, target.kind, target.query)
            for target in Target.objects.all()
        }
        chosen = [number for number, place in ids.items() if place in wanted]
        assert len(chosen) == len(wanted)
        Target.objects.update(next_visit_at=self.clock.now + DAY)
        Target.objects.filter(id__in=chosen).update(next_visit_at=self.clock.now)
        claimed = services.claim_due(now=self.clock.now, limit=100)
        assert {each.target_id for each in claimed} == set(chosen)
        rng.shuffle(claimed)
        for each in claimed:
            is_cut = cut if each is claimed[-1] else None
            told, expected = self._visit(each, ids[each.target_id], is_cut)
            found, awaited = _facts(told), Counter(each.facts for each in expected)
            assert found == awaited, f"{ids[each.target_id]} brought {found}, not {awaited}"
            if told and not lose_hints:
                self._tell(rng)
        if cut:
            self.pass_time(BEGUN_ANEW)

    def _visit(
        self, claimed: services.Claimed, place: Place, cut: Cut | None
    ) -> tuple[list[int], list[model.News]]:
        politeness._redis().flushdb()  # waits are in real time
        pages = self.pages(place)
        if cut:
            cut.after = min(cut.after, len(pages))
        began = self.clock()
        clock = self._cutting(claimed.target_id, place[0], cut) if cut else self.clock
        try:
            told = services.visit(
                target_id=claimed.target_id, claim_no=claimed.claim_no, clock=clock
            )
        except VisitorDied:
            told = ()
        if cut and place[0] not in self.troubled:
            self.emulator.heal(place[0])
        return list(told), self._visit_model(place, pages, cut, began)

    def _visit_model(
        self, place: Place, pages: list[list[Title]], cut: Cut | None, began: dt.datetime
    ) -> list[model.News]:
        if not pages:
            self.model.complete(place, (), self.clock())
            return []
        if place[0] in self.troubled:
            return [] if _ends(cut) else self.model.let_go(place, self.clock())
        stored = cut.known(pages) if cut else pages
        for page in stored:
            self.model.see(place, page, began)
        if _ends(cut):
            return []
        is_complete = len(stored) == len(pages)
        if is_complete and not cut and place[1] != "due":
            self.model.look_for_missing(place, self.clock())
        news = self.model.let_go(place, self.clock())
        if is_complete:
            titles = [title for page in pages for title in page]
            self.model.complete(place, titles, self.clock())
        return news

    def _cutting(self, target_id: int, marketplace: str, cut: Cut) -> Callable[[], dt.datetime]:
        """A clock that strikes. It is looked at twice between an answer and what is stored of it."""
        asked, calls = len(self.emulator.requests), 0
        is_early = cut.how == "forget" or cut.after == 0

        def strike() -> dt.datetime:
            nonlocal calls
            if len(self.emulator.requests) == asked + cut.after:
                calls += 1
                if calls == (1 if is_early else 3):
                    self._strike(target_id, marketplace, cut.how)
            return self.clock()

        return strike

    def _strike(self, target_id: int, marketplace: str, how: str) -> None:
        if how in ("die", "forget"):
            raise VisitorDied
        if how == "lose":
            Target.objects.filter(id=target_id).update(claim_no=F("claim_no") + 1)
        elif how.isdigit():
            self.emulator.throttle(marketplace, status=int(how), retry_after=0)
        else:
            self.emulator.break_(how, marketplace)

    # -- what is told ----------------------------------------------------------------------------
    def _tell(self, rng: random.Random) -> None:
        """What a hint brings about: all that is untold is told."""
        limit, chunk = rng.choice((1, 2, 200)), rng.choice((1, 2, 100))
        while fan_out_due(now=self.clock(), limit=limit, chunk=chunk):
            pass
        for each in sorted(self.model.waiting(), key=lambda each: each.number):
            self.model.fan_out(each)

    def sweep(self, rng: random.Random) -> None:
        """What finds whatever a lost hint or a dead visitor left undone."""
        self.pass_time(LEASES_RUN_OUT)
        strays = services.let_strays_go(now=self.clock())
        expected = [
            news
            for place in self.places()
            for news in self.model.let_go(place, self.clock(), is_visit=False)
        ]
        assert len(strays) == len(expected), "other news of dead visitors"
        merge_due(limit=100)
        publish_events()
        self._tell(rng)

    def mark_out(self, rng: random.Random, *, lose_hints: bool) -> None:
        now = self.clock()
        told, expected = mark_out_by_date(now=now), self.model.mark_out(now)
        assert len(told) == len(expected), "other titles are out by their date"
        if told and not lose_hints:
            self._tell(rng)

    def release_braked(self) -> None:
        ids = list(ReleaseEvent.objects.braked().values_list("id", flat=True))
        assert len(ids) == sum(each.is_braked for each in self.model.news)
        brake.tell_braked(event_ids=ids)
        self.model.release_braked()

    def pass_time(self, length: dt.timedelta) -> None:
        """Once a day what flapped and then stood is told once more."""
        self.clock.now += length
        if self.clock.now - self.looked_back_at < DAY:
            return
        self.looked_back_at = now = self.clock()
        retell(now=now)
        self.model.retell(now)

    def end(self, rng: random.Random) -> None:
        """The store recovers, everything is visited twice and swept; then nothing happens any more."""
        for marketplace in MARKETPLACES:
            self.heal(marketplace)
        for _ in range(2):
            self.visit(self.places(), rng=rng, later=dt.timedelta(hours=7))
        self.release_braked()
        self.sweep(rng)
        self.check()
        for _ in range(11):  # a date that flapped is told once a week at most
            self.pass_time(DAY)
        self.check()
        self._check_last_heard()

    # -- one held against the other --------------------------------------------------------------
    def heard(self) -> Counter[Said]:
        """What the product promised, in the model's words."""
        rows = Delivery.objects.exclude(state=Delivery.State.CANCELLED).values_list(
            "user_id",
            "event__audiobook__asin",
            "event__kind",
            "event__new_date",
            "event__revision",
        )
        heard: Counter[Said] = Counter()
        for user_id, asin, kind, day, revision in rows:
            user = self.users[user_id]
            what = asin if user in self._by_edition() else self.model.store[asin].book
            heard[user, what, kind, _value(kind, day, revision)] += 1
        return heard

    def check(self) -> None:
        """Exactly what the model says was told, to exactly those."""
        heard = self.heard()
        missed, invented = self.model.heard - heard, heard - self.model.heard
        assert missed == Counter(), f"missed {missed}, invented {invented}"
        assert invented == Counter(), f"invented {invented}"

    def _check_last_heard(self) -> None:
        """The last date that a user heard of a title is the one that stands."""
        for (user, what), day in self._last_heard().items():
            editions = [
                each for each in self.model.store.values() if what in (each.asin, each.book)
            ]
            title = self.model.store[what]
            is_to_come = title.date is None or title.date > self.emulator.today(title.marketplace)
            if (len(editions) == 1 or user in self._by_edition()) and is_to_come:
                assert title.is_withdrawn or day == title.date, (user, title, day)

    def _last_heard(self) -> dict[tuple[str, str], dt.date]:
        moves = Delivery.objects.filter(event__kind="date_moved").order_by("created_at", "id")
        rows = moves.values_list("user_id", "event__audiobook__asin", "event__new_date")
        last: dict[tuple[str, str], dt.date] = {}
        for user_id, asin, day in rows:
            user = self.users[user_id]
            assert day is not None
            last[user, asin if user in self._by_edition() else self.model.store[asin].book] = day
        return last

    def _by_edition(self) -> set[str]:
        return {each.user for each in self.model.watches if each.per_edition}


def _ends(cut: Cut | None) -> bool:
    return cut is not None and cut.how in ("die", "forget", "lose")


def _facts(event_ids: Iterable[int]) -> Counter[tuple[str, str, str]]:
    rows = ReleaseEvent.objects.filter(id__in=list(event_ids)).values_list(
        "audiobook__asin", "kind", "new_date", "revision"
    )
    return Counter((asin, kind, _value(kind, day, revision)) for asin, kind, day, revision in rows)


def _value(kind: str, day: dt.date | None, revision: int) -> str:
    if kind == "date_moved":
        return str(day)
    return str(revision) if kind in ("withdrawn", "restored") else ""

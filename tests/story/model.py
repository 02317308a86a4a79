"""What must be told, said in plain Python: no database, nothing of the product.

The model is told what the store shows and which visits looked at it. It keeps what may be known by
then, what of it is news, and who has heard what; `heard` is what channels must have been promised.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from zoneinfo import ZoneInfo

ZONES = {"us": ZoneInfo("America/Los_Angeles"), "uk": ZoneInfo("Europe/London")}
FOUND_LATE = dt.timedelta(days=14)
ABSENCE_DELAY = dt.timedelta(hours=6)
RECENT_PASS = dt.timedelta(hours=12)
STOOD, AT_MOST = dt.timedelta(hours=72), dt.timedelta(days=7)
MONTH = dt.timedelta(days=30)
FLOOR, FACTOR = 50, 5
ALL_KINDS = ("announced", "date_moved", "out_now", "withdrawn", "restored")

Place = tuple[str, str, str]  # marketplace, kind, query
Said = tuple[str, str, str, str]  # user, book or ASIN, kind, value


@dataclass
class Title:
    """One recording: `book` is the same for all its editions. As the store shows it."""

    asin: str
    marketplace: str
    book: str
    name: str
    author: str
    series: str = ""
    narrators: frozenset[str] = frozenset()
    date: dt.date | None = None
    is_withdrawn: bool = False


@dataclass
class Known:
    """What we may know of a title by what visits were shown."""

    title: Title
    first_seen: dt.datetime
    date: dt.date | None = None
    narrators: frozenset[str] = frozenset()
    is_out: bool = False
    is_withdrawn: bool = False
    absent_at: dt.datetime | None = None
    news: list["News"] = field(default_factory=list)


@dataclass
class News:
    """One fact in the past tense. `held_by`: the query whose visit is not over; None: to be told."""

    number: int
    known: Known
    kind: str
    revision: int
    seen_at: dt.datetime
    old_date: dt.date | None = None
    new_date: dt.date | None = None
    held_by: Place | None = None
    is_braked: bool = False
    is_fanned_out: bool = False

    @property
    def value(self) -> str:
        if self.kind == "date_moved":
            return str(self.new_date)
        return str(self.revision) if self.kind in ("withdrawn", "restored") else ""

    @property
    def facts(self) -> tuple[str, str, str]:
        return self.known.title.asin, self.kind, self.value


@dataclass
class Watch:
    """What a user asked for, in these marketplaces, since its first complete pass in each."""

    user: str
    kind: str
    query: str
    marketplaces: tuple[str, ...]
    per_edition: bool = False
    event_kinds: tuple[str, ...] = ALL_KINDS
    active_from: dict[str, dt.datetime] = field(default_factory=dict)

    def places(self) -> list[Place]:
        return [(code, self.kind, self.query) for code in self.marketplaces]

    def is_about(self, title: Title, narrators: frozenset[str]) -> bool:
        if self.kind == "author":
            return title.author.lower() == self.query
        if self.kind == "narrator":
            return self.query in {each.lower() for each in narrators}
        if self.kind == "series":
            return title.series == self.query
        if self.kind == "asin":
            return title.asin == self.query
        return self.query in f"{title.name} {title.series}".lower().split()


@dataclass
class Target:
    """A query and what its complete passes listed."""

    completed_at: dt.datetime | None = None
    listed: set[str] = field(default_factory=set)
    # Of visits, unless braked: of passes that are complete, but for the first; of the one under way.
    events: list[tuple[dt.datetime, int]] = field(default_factory=list)
    lately: list[tuple[dt.datetime, int]] = field(default_factory=list)


@dataclass
class Told:
    """The last time that a user was told one value."""

    news: News
    order: int
    retold_at: dt.datetime | None = None


class Model:
    """What is on sale, what is known of it, and who has heard what."""

    def __init__(self) -> None:
        self.store: dict[str, Title] = {}
        self.known: dict[str, Known] = {}
        self.watches: list[Watch] = []
        self.targets: defaultdict[Place, Target] = defaultdict(Target)
        self.news: list[News] = []
        self.told: dict[Said, Told] = {}
        self.heard: Counter[Said] = Counter()
        self._order = count()

    # -- the store -------------------------------------------------------------------------------
    def today(self, marketplace: str, now: dt.datetime) -> dt.date:
        return now.astimezone(ZONES[marketplace]).date()

    def due(self, marketplace: str, now: dt.datetime) -> list[str]:
        """The titles known whose day has come and that the store has not confirmed."""
        today = self.today(marketplace, now)
        return [
            asin
            for asin, known in self.known.items()
            if known.title.marketplace == marketplace
            and known.date
            and known.date <= today
            and not (known.is_out or known.is_withdrawn)
        ]

    # -- watches ---------------------------------------------------------------------------------
    def begin(self, now: dt.datetime) -> None:
        """Before visits: watches of a query that was read lately are heard at once."""
        for watch in self.watches:
            for place in watch.places():
                completed_at = self.targets[place].completed_at
                if completed_at and now - completed_at < RECENT_PASS:
                    watch.active_from.setdefault(place[0], now)

    # -- visits ----------------------------------------------------------------------------------
    def see(self, place: Place, titles: Iterable[Title], now: dt.datetime) -> None:
        """A visit is shown these titles; their news is held until it is over."""
        for title in titles:
            self._note(title, place, now)

    def _note(self, title: Title, place: Place, now: dt.datetime) -> None:
        today = self.today(title.marketplace, now)
        known = self.known.get(title.asin)
        if known is None:
            known = self.known[title.asin] = Known(title, now, title.date, title.narrators)
            if title.date is None or title.date > today:
                self._write(known, "announced", place, now, new_date=title.date)
                return
            known.is_out = True
            if today - title.date <= FOUND_LATE:
                self._write(known, "out_now", place, now, new_date=title.date)
            return
        known.absent_at = None
        if known.is_withdrawn:
            known.is_withdrawn = False
            self._write(known, "restored", place, now, new_date=title.date)
        self._note_change(known, title, place, now, today)

    def _note_change(
        self, known: Known, title: Title, place: Place, now: dt.datetime, today: dt.date
    ) -> None:
        old, old_narrators = known.date, known.narrators
        known.date = title.date or old  # what is not said clears nothing
        known.narrators = title.narrators or old_narrators
        if known.date != old and known.date and known.date > today:
            known.is_out = False
            self._write(known, "date_moved", place, now, old_date=old, new_date=known.date)
        elif not known.is_out and known.date and known.date <= today:
            known.is_out = True
            self._write(known, "out_now", place, now, old_date=old, new_date=known.date)
        elif not known.is_out and old_narrators and known.narrators != old_narrators:
            self._write(known, "detail_changed", place, now)
        if not known.is_out and known.narrators - old_narrators:
            # Whoever asks for them could not be found before: its announcement is theirs as well.
            for news in known.news:
                if news.kind == "announced":
                    news.is_fanned_out = False

    def _write(
        self,
        known: Known,
        kind: str,
        place: Place | None,
        now: dt.datetime,
        *,
        old_date: dt.date | None = None,
        new_date: dt.date | None = None,
    ) -> None:
        news = News(
            len(self.news), known, kind, len(known.news) + 1, now, old_date, new_date, place
        )
        known.news.append(news)
        self.news.append(news)

    def look_for_missing(self, place: Place, now: dt.datetime) -> None:
        """After a complete pass of a healthy store what it listed once and does not now is asked for.

        What is there is seen; what is not is withdrawn by the second such look, long after the first.
        """
        for title in (self.store[asin] for asin in sorted(self.targets[place].listed)):
            known = self.known[title.asin]
            if not title.is_withdrawn:
                self._note(title, place, now)
            elif known.absent_at is None:
                known.absent_at = now
            elif not known.is_withdrawn and now - known.absent_at >= ABSENCE_DELAY:
                known.is_withdrawn = True
                self._write(known, "withdrawn", place, now)

    def complete(self, place: Place, titles: Iterable[Title], now: dt.datetime) -> None:
        """A pass has come to its end: the first one is the baseline of those who asked for it."""
        target = self.targets[place]
        still = {asin for asin in target.listed if not self.known[asin].is_withdrawn}
        target.listed = {each.asin for each in titles} | still
        target.events += target.lately if target.completed_at else []
        target.lately = []
        target.completed_at = now
        for watch in self.watches:
            if place in watch.places():
                watch.active_from.setdefault(place[0], now)

    def let_go(self, place: Place, now: dt.datetime, *, is_visit: bool = True) -> list[News]:
        """The visit is over: its news is to be told, unless it is too much."""
        target = self.targets[place]
        held = [each for each in self.news if each.held_by == place and not each.is_braked]
        is_first = target.completed_at is None
        counted = [each for each in held if not (is_first and each.revision == 1)]
        is_too_much = len(counted) > self._most(target, now)
        waits = [each for each in held if any(other.is_braked for other in each.known.news)]
        for each in held:
            each.is_braked = is_too_much or each in waits
            each.held_by = place if each.is_braked else None
        if is_visit and not any(each.is_braked for each in held):
            target.lately.append((now, len(held)))
        return [each for each in held if not each.is_braked]

    def _most(self, target: Target, now: dt.datetime) -> int:
        """max(50, 5 times the 99th percentile of its last 30 days)."""
        events = sorted(number for at, number in target.events if now - at < MONTH)
        usual = events[-(-99 * len(events) // 100) - 1] if events else 0
        return max(FLOOR, FACTOR * usual)

    def mark_out(self, now: dt.datetime) -> list[News]:
        """At noon on its day a title that nobody could ask for is out by its date."""
        first = len(self.news)
        for known in self.known.values():
            local = now.astimezone(ZONES[known.title.marketplace])
            day = local.date() if local.hour >= 12 else local.date() - dt.timedelta(days=1)
            if known.date and known.date <= day and not (known.is_out or known.is_withdrawn):
                known.is_out = True
                self._write(known, "out_now", None, now, new_date=known.date)
        return self.news[first:]

    def release_braked(self) -> None:
        """A person has it told."""
        for each in self.news:
            if each.is_braked:
                each.is_braked, each.held_by = False, None

    # -- telling ---------------------------------------------------------------------------------
    def waiting(self) -> list[News]:
        """What a sweep finds."""
        return [each for each in self.news if each.held_by is None and not each.is_fanned_out]

    def fan_out(self, news: News) -> None:
        """Tell everybody who asked and has not heard it; what is older of the same title first."""
        for each in news.known.news[: news.revision]:
            if each.held_by is None and not each.is_fanned_out:
                each.is_fanned_out = True
                self._tell(each)

    def _tell(self, news: News) -> None:
        for watch in self.watches:
            if self._hears(watch, news):
                said = self._said(watch.user, news.known.title, news, per_edition=watch.per_edition)
                if said not in self.told:
                    self.told[said] = Told(news, next(self._order))
                    self.heard[said] += 1

    def _said(self, user: str, title: Title, news: News, *, per_edition: bool) -> Said:
        return user, title.asin if per_edition else title.book, news.kind, news.value

    def _hears(self, watch: Watch, news: News) -> bool:
        known, code = news.known, news.known.title.marketplace
        active_from = watch.active_from.get(code)
        if code not in watch.marketplaces or active_from is None or active_from > news.seen_at:
            return False
        planned = news.old_date or known.date
        was_to_come = planned is None or planned >= self.today(code, active_from)
        return (
            (active_from <= known.first_seen or was_to_come)
            and news.kind in watch.event_kinds
            and watch.is_about(known.title, known.narrators)
        )

    def retell(self, now: dt.datetime) -> None:
        """A date that stood is told once more to those who last heard another one."""
        for known in self.known.values():
            moves = [each for each in known.news if each.kind == "date_moved"]
            if not moves or known.is_out or known.is_withdrawn:
                continue
            newest = moves[-1]
            stood = newest.seen_at <= now - STOOD and now - newest.seen_at < MONTH
            if stood and newest.held_by is None and newest.new_date == known.date:
                self._retell(newest, {each.value for each in moves}, now)

    def _retell(self, newest: News, values: set[str], now: dt.datetime) -> None:
        title = newest.known.title
        for user, per_edition in {(each.user, each.per_edition) for each in self.watches}:
            said = self._said(user, title, newest, per_edition=per_edition)
            heard = [
                (each.order, key)
                for key, each in self.told.items()
                if key[:3] == said[:3] and key[3] in values
            ]
            if not heard or max(heard)[1] == said or said not in self.told:
                continue
            told = self.told[said]
            if told.retold_at is None or told.retold_at < now - AT_MOST:
                told.news, told.order, told.retold_at = newest, next(self._order), now
                self.heard[said] += 1

"""Turns at a store: one pace, one silence and one breaker over all who ask."""

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise

import pytest
from pytest_django import Settings

from scraping import politeness
from scraping.asking import Asker
from scraping.emulator.server import Emulator
from scraping.politeness import LONGEST_OPEN, Postponed, Turn, acquire, leave_alone, report
from scraping.sources.base import Query
from scraping.sources.http import fetch, open_session
from tests.sinks import wait_until

API = "audible_api"
MS = dt.timedelta(milliseconds=1)
SECOND = dt.timedelta(seconds=1)
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def pace(settings: Settings) -> Settings:
    """A quick one, in a Redis that knows nothing."""
    settings.STORE_REQUEST_INTERVAL = 40 * MS
    settings.STORE_SAME_URL_INTERVAL = 30 * dt.timedelta(minutes=1)
    settings.STORE_LONGEST_WAIT = 5 * SECOND
    politeness._redis().flushdb()
    return settings


@pytest.fixture
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)


@pytest.fixture
def emulator(settings: Settings) -> Iterator[Emulator]:
    with Emulator(seed=7, marketplaces=("us",), authors=1) as emulator:
        settings.STORE_URL = emulator.base_url
        yield emulator


def url(number: object) -> str:
    return f"https://store.example/{number}"


def postponed(marketplace: str = "us", number: object = "one", source: str = API) -> Postponed:
    """Why there is no turn now."""
    said = acquire(marketplace, url(number), source)
    assert isinstance(said, Postponed)
    return said


def fail(times: int, source: str = API) -> None:
    for _ in range(times):
        report("us", source, ok=False)


def let_it_half_open() -> None:
    """As if the time it is open had passed."""
    key = politeness._breaker_key("us", API)
    politeness._redis().hset(key, "open_until", 0)


def open_until() -> int:
    key = politeness._breaker_key("us", API)
    return int(politeness._redis().hget(key, "open_until") or 0)


def redis_ms() -> int:
    second, micro = politeness._redis().time()
    return int(second * 1000 + micro // 1000)


# -- the bucket --------------------------------------------------------------------------------


def take_turns(threads: int, each: int) -> list[float]:
    """The moments at which so many threads got their turns, in order."""
    moments: list[float] = []

    def work(number: int) -> None:
        for turn in range(each):
            assert isinstance(acquire("us", url((number, turn))), Turn)
            moments.append(time.monotonic())

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    return sorted(moments)


def test_all_together_keep_the_pace_of_one_guest() -> None:
    begun = time.monotonic()
    moments = take_turns(threads=4, each=5)
    assert moments[-1] - begun >= 0.95 * 20 * 0.04


def test_a_bucket_gives_as_much_at_once_as_it_holds(pace: Settings) -> None:
    pace.STORE_REQUEST_INTERVAL = 200 * MS
    pace.STORE_BURST = 3
    assert isinstance(acquire("us", url("first")), Turn)
    wait_until(lambda: redis_ms() > _full_at())
    begun = time.monotonic()
    waits = []
    for number in range(5):
        assert isinstance(acquire("us", url(number)), Turn)
        waits.append(time.monotonic() - begun)
    assert waits[2] < 0.2 <= waits[3] + 0.02
    assert waits[4] >= 0.38


def _full_at() -> float:
    (bucket, *_) = politeness._keys("us")
    return float(politeness._redis().hget(bucket, "full_at"))  # type: ignore[arg-type]


@pytest.mark.parametrize("burst", [1, 3])
def test_a_bucket_that_was_wiped_begins_empty(pace: Settings, burst: int) -> None:
    """Proves the guard empty bucket: a full one would give `burst` turns at once."""
    pace.STORE_REQUEST_INTERVAL = 200 * MS
    pace.STORE_BURST = burst
    begun = time.monotonic()
    for number in range(1, 3):
        assert isinstance(acquire("us", url(number)), Turn)
        assert time.monotonic() - begun >= 0.2 * number - 0.01


def test_turns_of_a_bucket_that_was_wiped_are_void(pace: Settings) -> None:
    """Proves the guard era: those who wait would come on top of those who take new turns."""
    pace.STORE_REQUEST_INTERVAL = 300 * MS
    moments: list[float] = []

    def work(number: int) -> None:
        assert isinstance(acquire("us", url(number)), Turn)
        moments.append(time.monotonic())

    with ThreadPoolExecutor(5) as pool:
        before = [pool.submit(work, number) for number in range(2)]
        wait_until(lambda: _full_at_or_none() is not None)
        politeness._redis().flushdb()
        after = [pool.submit(work, number) for number in range(10, 13)]
        for each in (*before, *after):
            each.result()
    moments.sort()
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert min(gaps) >= 0.2


def _full_at_or_none() -> object:
    (bucket, *_) = politeness._keys("us")
    return politeness._redis().hget(bucket, "full_at")


def test_a_turn_that_was_slept_through_is_not_used(
    pace: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves the guard lateness: workers that were paused would all ask at once."""
    slept: list[float] = []

    def oversleep(seconds: float) -> None:
        slept.append(seconds)
        real_sleep(seconds + (0.4 if len(slept) == 1 else 0))

    real_sleep = time.sleep
    monkeypatch.setattr(time, "sleep", oversleep)
    assert isinstance(acquire("us", url("one")), Turn)
    assert len(slept) == 2


def test_whoever_is_always_late_comes_back_later(monkeypatch: pytest.MonkeyPatch) -> None:
    real_sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: real_sleep(seconds + 0.3))
    assert postponed().reason == "busy"


def test_where_many_wait_the_next_is_sent_away(pace: Settings) -> None:
    pace.STORE_REQUEST_INTERVAL = 60 * SECOND
    said = postponed()
    assert said.reason == "busy"
    assert 60 * SECOND <= said.wait <= 65 * SECOND


def test_each_marketplace_has_its_own_pace(pace: Settings) -> None:
    pace.STORE_REQUEST_INTERVALS = ["jp=60"]
    assert isinstance(acquire("us", url(1)), Turn)
    assert postponed("jp").reason == "busy"


def test_a_url_is_not_asked_twice_in_half_an_hour() -> None:
    assert isinstance(acquire("us", url("one")), Turn)
    said = postponed()
    assert said.reason == "url"
    assert said.wait > 29 * dt.timedelta(minutes=1)


def test_the_half_hour_begins_when_it_was_asked(pace: Settings, no_jitter: None) -> None:
    pace.STORE_REQUEST_INTERVAL = 300 * MS
    pace.STORE_SAME_URL_INTERVAL = 500 * MS
    assert isinstance(acquire("us", url("one")), Turn)
    assert postponed().wait > 400 * MS


def test_scripts_that_redis_forgot_are_told_again() -> None:
    assert isinstance(acquire("us", url(1)), Turn)
    politeness._redis().script_flush()
    assert isinstance(acquire("us", url(2)), Turn)


@pytest.fixture
def no_redis(pace: Settings) -> Iterator[None]:
    pace.BUCKETS_URL = "redis://127.0.0.1:1/0"
    politeness._redis.cache_clear()
    yield
    politeness._redis.cache_clear()


def test_without_redis_nothing_is_asked_and_nothing_breaks(no_redis: None) -> None:
    assert postponed().reason == "redis"
    leave_alone("us", 90 * SECOND)
    report("us", API, ok=False)
    assert politeness.failing_for("us", API) == dt.timedelta()


# -- peace -------------------------------------------------------------------------------------


def test_a_store_that_asks_for_peace_is_left_alone_by_all() -> None:
    leave_alone("us", 90 * SECOND)
    said = postponed()
    assert said.wait >= 89 * SECOND
    assert isinstance(acquire("uk", url("one")), Turn)


def test_who_waits_for_a_turn_hears_of_it(pace: Settings) -> None:
    """Proves the guard second look: a turn taken before would fall into the silence."""
    pace.STORE_REQUEST_INTERVAL = 300 * MS
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(acquire, "us", url("one"))
        wait_until(lambda: _full_at_or_none() is not None)
        leave_alone("us", 90 * SECOND)
        said = waiting.result()
    assert isinstance(said, Postponed)
    assert said.reason == "quiet"
    assert not politeness._redis().exists(politeness._keys("us", url("one"))[1])


def test_a_shorter_silence_does_not_end_a_longer_one(pace: Settings) -> None:
    """Proves the guard longest silence: a later answer often asks for less."""
    leave_alone("us", 90 * SECOND)
    leave_alone("us", SECOND)
    *_, block = politeness._keys("us")
    assert politeness._redis().pttl(block) > 80_000
    assert postponed().wait > 80 * SECOND


def test_after_a_silence_the_bucket_is_empty(pace: Settings) -> None:
    pace.STORE_REQUEST_INTERVAL = 200 * MS
    pace.STORE_BURST = 3
    begun = time.monotonic()
    leave_alone("us", 300 * MS)
    moments = [moment - begun for moment in take_turns(threads=3, each=1)]
    assert moments[0] >= 0.3
    assert moments[2] >= 0.68


def test_a_store_that_does_not_say_how_long_gets_many_intervals(pace: Settings) -> None:
    pace.STORE_REQUEST_INTERVAL = 3 * SECOND
    leave_alone("us", None)
    assert dt.timedelta(minutes=1) <= postponed().wait <= dt.timedelta(minutes=2, seconds=5)


# -- the breaker -------------------------------------------------------------------------------


def ask(emulator: Emulator, number: object) -> bool:
    """Ask the emulator if it is one's turn; whether it was asked."""
    asked = f"{emulator.base_url}/us/1.0/catalog/products?keywords={number}"
    if isinstance(acquire("us", asked), Postponed):
        return False
    with open_session() as session:
        answer = fetch(asked, session)
    report("us", API, ok=getattr(answer, "status", 500) == 200)
    return True


def test_an_open_breaker_sends_nothing(emulator: Emulator, pace: Settings) -> None:
    """Proves the guard open breaker: the store would be asked while it is down."""
    emulator.break_("error500", "us")
    asked = [ask(emulator, number) for number in range(8)]
    assert asked == [True] * 5 + [False] * 3
    assert len(emulator.requests) == pace.STORE_BREAKER_FAILURES
    emulator.heal("us")
    assert not ask(emulator, "healed")
    assert len(emulator.requests) == pace.STORE_BREAKER_FAILURES


@pytest.mark.parametrize("trouble", ["error500", "captcha", "truncated", "throttle"])
def test_the_breaker_is_in_the_path_of_every_visit(
    trouble: str, emulator: Emulator, pace: Settings
) -> None:
    """Proves the guard breaker in the path: a visit that reports nothing, or does not ask."""
    if trouble == "throttle":
        emulator.throttle("us", retry_after=0)
    else:
        emulator.break_(trouble, "us")
    with closing(Asker(source=API, marketplace="us", clock=_now, renew=lambda: True)) as asker:
        for number in range(8):
            assert asker.ask(Query("us", "keyword", f"words {number}")) is None
    assert len(emulator.requests) == asker.pages == pace.STORE_BREAKER_FAILURES
    assert asker.ending is not None
    assert asker.ending.blind


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def test_only_one_probe_goes_out_and_it_decides(emulator: Emulator, pace: Settings) -> None:
    """Proves the guard half-open: eight who wait for the end would all ask at once."""
    fail(5)
    let_it_half_open()
    emulator.break_("slow", "us", seconds=1)

    def try_twice(number: int) -> bool:
        """At once, and while the probe is under way."""
        if ask(emulator, number):
            return True
        wait_until(lambda: bool(emulator.requests))
        return ask(emulator, f"{number} again")

    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(try_twice, range(8)))
    assert sum(asked) == 1
    assert len(emulator.requests) == 1
    assert open_until() == 0
    emulator.heal("us")
    assert ask(emulator, "closed")


def test_a_probe_that_fails_opens_it_for_longer(no_jitter: None) -> None:
    lengths = []
    fail(5)
    for _ in range(6):
        lengths.append(round((open_until() - redis_ms()) / 60_000))
        let_it_half_open()
        assert isinstance(acquire("us", url(len(lengths))), Turn)
        fail(1)
    assert lengths == [5, 10, 20, 40, 60, 60]


def test_jitter_comes_on_top_of_the_time_it_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.999)
    fail(5)
    assert 9.9 <= (open_until() - redis_ms()) / 60_000 <= 10


def test_an_open_breaker_says_when_to_come_back() -> None:
    fail(5)
    said = postponed()
    assert said.reason == "breaker"
    assert dt.timedelta(minutes=4.9) <= said.wait <= 2 * LONGEST_OPEN


def test_a_success_between_failures_starts_the_count_anew() -> None:
    fail(4)
    report("us", API, ok=True)
    fail(4)
    assert isinstance(acquire("us", url("one")), Turn)
    assert politeness.failing_for("us", API) < HOUR


def test_a_breaker_is_that_of_one_source_and_marketplace() -> None:
    fail(5)
    assert postponed().reason == "breaker"
    assert isinstance(acquire("us", url("page"), "audible_html"), Turn)
    assert isinstance(acquire("uk", url("uk")), Turn)


def test_who_asked_before_it_opened_does_not_close_it() -> None:
    """Proves the guard stragglers: a late success is no probe's."""
    fail(5)
    before = open_until()
    report("us", API, ok=True)
    fail(1)
    assert open_until() == before
    assert postponed().reason == "breaker"


def test_who_waits_for_a_turn_when_it_opens_does_not_ask(pace: Settings) -> None:
    """Proves the guard second look, for breakers."""
    pace.STORE_REQUEST_INTERVAL = 300 * MS
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(acquire, "us", url("one"))
        wait_until(lambda: _full_at_or_none() is not None)
        fail(5)
        said = waiting.result()
    assert isinstance(said, Postponed)
    assert said.reason == "breaker"


def test_a_probe_whose_prober_died_gives_way_to_another(pace: Settings) -> None:
    fail(5)
    let_it_half_open()
    assert isinstance(acquire("us", url("probe")), Turn)
    assert postponed().reason == "breaker"
    politeness._redis().hset(politeness._breaker_key("us", API), "probe_until", 1)
    assert isinstance(acquire("us", url("another")), Turn)


def test_a_probe_that_was_not_sent_gives_way_at_once(
    pace: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(5)
    let_it_half_open()
    real_sleep = time.sleep

    def interrupted(seconds: float) -> None:
        real_sleep(seconds)
        leave_alone("us", 100 * MS)

    monkeypatch.setattr(time, "sleep", interrupted)
    assert postponed().reason == "quiet"
    monkeypatch.setattr(time, "sleep", real_sleep)
    assert isinstance(acquire("us", url("two")), Turn)


def test_a_redis_that_was_wiped_knows_no_failures_and_gives_no_turn_away(pace: Settings) -> None:
    pace.STORE_REQUEST_INTERVAL = 200 * MS
    fail(5)
    politeness._redis().flushdb()
    begun = time.monotonic()
    assert isinstance(acquire("us", url("one")), Turn)
    assert time.monotonic() - begun >= 0.19


def test_how_long_a_source_has_failed(pace: Settings) -> None:
    assert politeness.failing_for("us", API) == dt.timedelta()
    fail(1)
    wait_until(lambda: politeness.failing_for("us", API) > dt.timedelta())
    key = politeness._breaker_key("us", API)
    politeness._redis().hset(key, "failing_since", redis_ms() - 7_200_000)
    fail(1)
    assert politeness.failing_for("us", API) >= 2 * HOUR
    report("us", API, ok=True)
    assert politeness.failing_for("us", API) == dt.timedelta()


def test_two_reports_at_once_both_count() -> None:
    barrier = threading.Barrier(5)

    def work(_: int) -> None:
        barrier.wait()
        fail(1)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(work, range(5)))
    assert postponed().reason == "breaker"


def test_a_breaker_says_when_it_opens_and_closes(caplog: pytest.LogCaptureFixture) -> None:
    said: Callable[[], str] = lambda: " ".join(each.getMessage() for each in caplog.records)  # noqa: E731
    caplog.set_level("INFO")
    fail(5)
    assert "breaker_opened" in said()
    let_it_half_open()
    acquire("us", url("probe"))
    report("us", API, ok=True)
    assert "breaker_closed" in said()

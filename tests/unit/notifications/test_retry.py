import datetime as dt
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.channels.base import Outcome, Verdict
from notifications.retry import MAX_OWN_FAULTS, MAX_TRIES, Decision, Facts, backoff, decide

NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
BASE = dt.timedelta(seconds=5)
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


def facts(
    *,
    tries: int = 0,
    attempts: int = 1,
    ambiguous: int = 0,
    age: dt.timedelta = HOUR,
    refused_at: dt.datetime | None = None,
    idempotent: bool = True,
) -> Facts:
    return Facts(
        tries=tries,
        attempts=attempts,
        ambiguous=ambiguous,
        created_at=NOW - age,
        refused_at=refused_at,
        idempotent=idempotent,
    )


def decided(before: Facts, outcome: Outcome) -> Decision:
    return decide(before, outcome, now=NOW, jitter=0.5, base=BASE)


ACCEPTED = Outcome(verdict=Verdict.ACCEPTED)
NOT_ACCEPTED = Outcome(verdict=Verdict.NOT_ACCEPTED, detail="503")
AMBIGUOUS = Outcome(verdict=Verdict.AMBIGUOUS, detail="no answer")
REFUSED = Outcome(verdict=Verdict.REFUSED, detail="410")
REFUSAL = Outcome(verdict=Verdict.NOT_ACCEPTED, detail="403", refusal=True)
LATER = Outcome(verdict=Verdict.NOT_ACCEPTED, detail="429", costs_try=False)

OLD, TIRED = dt.timedelta(hours=96), MAX_TRIES - 1


@pytest.mark.parametrize(
    ("before", "outcome", "state", "reason", "disables"),
    [
        (facts(), ACCEPTED, "sent", "", False),
        (facts(tries=TIRED, age=OLD, ambiguous=1, idempotent=False), ACCEPTED, "sent", "", False),
        (facts(), NOT_ACCEPTED, "due", "503", False),
        (facts(tries=TIRED - 1), NOT_ACCEPTED, "due", "503", False),
        (facts(tries=TIRED), NOT_ACCEPTED, "failed", "Given up after 10 tries: 503", False),
        (facts(age=OLD), NOT_ACCEPTED, "failed", "Given up after 96 hours: 503", False),
        (facts(age=OLD - HOUR), NOT_ACCEPTED, "due", "503", False),
        (facts(), AMBIGUOUS, "due", "no answer", False),
        (facts(ambiguous=8), AMBIGUOUS, "due", "no answer", False),
        (facts(tries=TIRED), AMBIGUOUS, "failed", "Given up after 10 tries: no answer", False),
        (facts(idempotent=False), AMBIGUOUS, "due", "no answer", False),
        (facts(ambiguous=1, idempotent=False), NOT_ACCEPTED, "due", "503", False),
        (
            facts(ambiguous=1, idempotent=False),
            AMBIGUOUS,
            "failed",
            "Unconfirmed: no answer",
            False,
        ),
        (facts(), REFUSED, "failed", "Refused for good: 410", True),
        (facts(), REFUSAL, "due", "403", False),
        (facts(refused_at=NOW - 3 * DAY + HOUR), REFUSAL, "due", "403", False),
        (facts(refused_at=NOW - 3 * DAY), REFUSAL, "failed", "Refused for good: 403", True),
        (facts(refused_at=NOW - 3 * DAY), NOT_ACCEPTED, "due", "503", False),
        (facts(tries=TIRED), REFUSAL, "failed", "Given up after 10 tries: 403", False),
        (facts(), LATER, "due", "429", False),
        (facts(tries=TIRED, attempts=50), LATER, "due", "429", False),
        (facts(age=OLD), LATER, "failed", "Given up after 96 hours: 429", False),
    ],
)
def test_every_row_of_the_table(
    before: Facts, outcome: Outcome, state: str, reason: str, *, disables: bool
) -> None:
    decision = decided(before, outcome)
    assert (decision.state, decision.reason, decision.disable_channel) == (state, reason, disables)
    assert (decision.next_attempt_at is not None) == (state == "due")


def test_it_counts_what_happened() -> None:
    before = facts(tries=2, ambiguous=1)
    assert decided(before, AMBIGUOUS).ambiguous == 2
    assert decided(before, NOT_ACCEPTED).ambiguous == 1
    assert [decided(before, outcome).tries for outcome in (NOT_ACCEPTED, REFUSED)] == [3, 3]
    assert decided(before, LATER).tries == 2, "being told to come back later costs no try"


def test_it_remembers_the_first_refusal() -> None:
    assert decided(facts(), NOT_ACCEPTED).refused_at is None
    assert decided(facts(), REFUSAL).refused_at == NOW
    first = NOW - DAY
    assert decided(facts(refused_at=first), REFUSAL).refused_at == first


def test_ten_tries_span_about_three_days() -> None:
    waits = [backoff(tries, 0, BASE) for tries in range(1, MAX_TRIES)]
    assert waits[0] == BASE
    assert waits == sorted(waits)
    assert waits[-1] == DAY
    assert 75 * HOUR < sum(waits, dt.timedelta()) < 77 * HOUR
    slowest = sum((backoff(tries, 0.999, BASE) for tries in range(1, MAX_TRIES)), dt.timedelta())
    assert slowest < OLD, "the tenth try comes before the message is too old"


def test_what_our_own_code_breaks_over_ends_sooner() -> None:
    """Proves the guard MAX_OWN_FAULTS."""
    fault = NOT_ACCEPTED._replace(is_ours=True)
    assert decided(facts(tries=MAX_OWN_FAULTS - 2), fault).state == "due"
    assert decided(facts(tries=MAX_OWN_FAULTS - 1), fault).state == "failed"
    assert decided(facts(tries=MAX_OWN_FAULTS - 1), NOT_ACCEPTED).state == "due"


def test_the_base_scales_all_waits() -> None:
    assert backoff(3, 0.5, BASE / 100) == backoff(3, 0.5, BASE) / 100


@pytest.mark.parametrize("asked", [0.35, 60, 86400])
@pytest.mark.parametrize("outcome", [NOT_ACCEPTED, LATER])
def test_it_is_never_sooner_than_was_asked(outcome: Outcome, asked: float) -> None:
    wish = dt.timedelta(seconds=asked)
    outcome = Outcome(verdict=outcome.verdict, costs_try=outcome.costs_try, retry_after=wish)
    moments = [
        decide(facts(), outcome, now=NOW, jitter=jitter, base=BASE).next_attempt_at
        for jitter in (0, 0.5, 0.999)
    ]
    assert all(moment and moment >= NOW + wish for moment in moments)
    assert len(set(moments)) == 3, "jitter comes on top"


def test_a_later_with_a_time_is_obeyed_however_often_it_was_tried() -> None:
    outcome = Outcome(
        verdict=Verdict.NOT_ACCEPTED, costs_try=False, retry_after=dt.timedelta(seconds=2)
    )
    moment = decided(facts(tries=7, attempts=30), outcome).next_attempt_at
    assert moment
    assert moment - NOW < dt.timedelta(minutes=1)


def test_a_later_without_a_time_is_asked_less_and_less_often() -> None:
    moments = [decided(facts(attempts=n), LATER).next_attempt_at for n in (1, 2, 3, 9, 40)]
    waits = [moment - NOW for moment in moments if moment]
    assert waits == sorted(waits)
    assert waits[0] < dt.timedelta(minutes=1)
    assert waits[-1] == waits[-2] >= DAY


@pytest.mark.parametrize("asked", [0, 60, 600])
def test_a_herd_that_failed_together_does_not_come_back_together(asked: float) -> None:
    herd, wish = 5000, dt.timedelta(seconds=asked)
    for tries in range(1, MAX_TRIES):
        seconds = Counter(
            backoff(tries, number / herd, BASE, wish) // dt.timedelta(seconds=1)
            for number in range(herd)
        )
        assert max(seconds.values()) <= 0.05 * herd


@given(
    tries=st.integers(-1, 50),
    jitter=st.floats(0, 1, exclude_max=True),
    base=st.floats(0.01, 60),
    asked=st.floats(0, 86400),
)
def test_every_wait_has_bounds(tries: int, jitter: float, base: float, asked: float) -> None:
    unit, wish = dt.timedelta(seconds=base), dt.timedelta(seconds=asked)
    wait = backoff(tries, jitter, unit, wish)
    assert max(unit, wish) <= wait <= 1.1 * max(17280 * unit, wish) + 6 * unit

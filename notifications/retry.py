"""What follows from how an attempt ended: pure, and the whole table of house rules in one place."""

import datetime as dt
from typing import Final, Literal, NamedTuple

from notifications.channels.base import Outcome, Verdict

MAX_TRIES: Final = 10
MAX_OWN_FAULTS: Final = 5  # tries of what our own code breaks over
MAX_AGE: Final = dt.timedelta(hours=96)
REFUSALS_MAX: Final = dt.timedelta(days=3)  # after that long a no is for good
AMBIGUOUS_MAX: Final = 1  # resends that may be seen twice
UNCONFIRMED: Final = "Unconfirmed"  # how the reason of what may have arrived begins

_PLAN: Final = tuple(  # waits after the 1st … 9th try, about 75 h in all
    dt.timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)
# Messages that failed together are spread: by a tenth of the wait, and by six first waits at least.
_SPREAD: Final = 0.1
_SPREAD_MIN: Final = 6


class Facts(NamedTuple):
    """A message before its outcome is written down."""

    tries: int  # that counted, without this one
    attempts: int  # all of them with this one: claim_no
    ambiguous: int  # that ended unclear, without this one
    created_at: dt.datetime
    refused_at: dt.datetime | None  # the first refusal
    idempotent: bool  # of its channel's kind


class Decision(NamedTuple):
    """What to write: the message's new state and counters."""

    state: Literal["sent", "due", "failed"]
    tries: int
    ambiguous: int
    refused_at: dt.datetime | None
    reason: str = ""
    next_attempt_at: dt.datetime | None = None  # set exactly where the state is due
    disable_channel: bool = False  # it was refused for good


def backoff(
    tries: int, jitter: float, base: dt.timedelta, at_least: dt.timedelta = dt.timedelta()
) -> dt.timedelta:
    """The wait after `tries` tries. `jitter` in [0, 1) comes on top, also on top of `at_least`.

    `base` is the first wait; the others grow with it, so that a demo can be quick.
    """
    step = _PLAN[min(max(tries, 1), len(_PLAN)) - 1]
    wait = max(step * (base / _PLAN[0]), at_least)
    return wait + jitter * max(_SPREAD * wait, _SPREAD_MIN * base)


def next_attempt(
    facts: Facts, outcome: Outcome, *, now: dt.datetime, jitter: float, base: dt.timedelta
) -> dt.datetime:
    """When to try again, never sooner than the other side asked for."""
    asked = outcome.retry_after or dt.timedelta()
    if outcome.costs_try:
        return now + backoff(facts.tries + 1, jitter, base, asked)
    # Told to come back later: when it said, or, where it did not say, less and less often.
    steps = 1 if outcome.retry_after is not None else facts.attempts
    return now + backoff(steps, jitter, base, asked)


def decide(
    facts: Facts, outcome: Outcome, *, now: dt.datetime, jitter: float, base: dt.timedelta
) -> Decision:
    """The new state of a message whose attempt ended in `outcome` at `now`."""
    tries = facts.tries + outcome.costs_try
    ambiguous = facts.ambiguous + (outcome.verdict is Verdict.AMBIGUOUS)
    refused_at = facts.refused_at or (now if outcome.refusal else None)
    if outcome.verdict is Verdict.ACCEPTED:
        return Decision(state="sent", tries=tries, ambiguous=ambiguous, refused_at=refused_at)
    for_good = outcome.verdict is Verdict.REFUSED or (
        outcome.refusal and refused_at is not None and now - refused_at >= REFUSALS_MAX
    )
    end = "Refused for good" if for_good else _end(facts, outcome, tries=tries, now=now)
    again_at = next_attempt(facts, outcome, now=now, jitter=jitter, base=base)
    return Decision(
        state="failed" if end else "due",
        tries=tries,
        ambiguous=ambiguous,
        refused_at=refused_at,
        reason=f"{end}: {outcome.detail}" if end else outcome.detail,
        next_attempt_at=None if end else again_at,
        disable_channel=for_good,
    )


def _end(facts: Facts, outcome: Outcome, *, tries: int, now: dt.datetime) -> str:
    """Why there is no further try; empty where there is one."""
    is_unclear = outcome.verdict is Verdict.AMBIGUOUS
    if is_unclear and not facts.idempotent and facts.ambiguous >= AMBIGUOUS_MAX:
        return UNCONFIRMED
    if tries >= (MAX_OWN_FAULTS if outcome.is_ours else MAX_TRIES):
        return f"Given up after {tries} tries"
    if now - facts.created_at >= MAX_AGE:
        return "Given up after 96 hours"
    return ""

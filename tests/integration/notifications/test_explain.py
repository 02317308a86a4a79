"""Why a watch does or does not want an event: the words must say what the statement does."""

import datetime as dt
from itertools import combinations
from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from catalog.models import Audiobook, Mark, ReleaseEvent, Watch
from notifications.explain import best, stories
from notifications.matching import matcher
from notifications.models import Delivery, Message, Route
from notifications.predicates import conditions
from notifications.progress import progress
from tests.factories import make_audiobook, make_channel, make_watch
from tests.promises import fan_out

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)
# A watch that wants the usual title's news, and all that may be otherwise about it. `heard`: hours
# after the title was first seen at which the watch begins to be heard.
USUAL: dict[str, Any] = {
    "asked": ("author", "Ada Example"),
    "heard": -1,
    "hidden": [],
    "ended": False,
    "marked": False,
    "route": "default",
}
OTHERWISE: dict[str, list[Any]] = {
    "asked": [
        ("author", "Ada"),
        ("narrator", "Nora Reader"),
        ("publisher", "Tide House"),
        ("keyword", "tide glass"),
        ("keyword", "glass wave"),
        ("keyword", '"glass tide"'),
        ("keyword", '"tide glass"'),
        ("asin", "B0GLASS001"),
        ("asin", "B0GLASS002"),
    ],
    "heard": [None, 0, 1, 3],
    "marketplaces": [["uk"], ["us", "uk"]],
    "languages": [["any"], ["german"], ["english", "german"]],
    "hidden": [["part"], ["podcast", "omnibus"]],
    "excluded_words": [["tide"], ["wave"]],
    "event_kinds": [["date_moved"], ["out_now"]],
    "include_announced": [False],
    "muted": [True],
    "ended": [True],
    "marked": [True],
    "route": ["own", "own_deaf", "deaf", "none"],
}
CHANGES = [{name: value} for name, values in OTHERWISE.items() for value in values]
PAIRS = [one | other for one, other in combinations(CHANGES, 2) if one.keys() != other.keys()]
TITLE: dict[str, Any] = {
    "title": "Glass Tide",
    "authors": ["Ada Example"],
    "publisher": "Tide House",
    "out_in": 30,
    "then": 60,  # days: its date moves; None: it does not
}
TITLES: dict[str, dict[str, Any]] = {
    "usual": {},
    "part": {"title": "Glass Tide (Part 1 of 2)"},
    "other": {"title": "Other Wave", "authors": ["Tom Other"], "publisher": None},
    "german": {"language": "german"},
    "no language": {"language": None},
    "no date": {"out_in": None},
    "out today, then moved": {"out_in": 0},
    "out lately": {"out_in": -3, "then": None},
    "back catalogue": {"out_in": -400, "then": None},
}


def watch_of(asked: dict[str, Any], user: User, now: dt.datetime) -> Watch:
    facts = dict(asked)
    kind, query = facts.pop("asked")
    heard, ended, route = facts.pop("heard"), facts.pop("ended"), facts.pop("route")
    del facts["marked"]
    watch = make_watch(user, query, kind=kind, now=now, is_active=False, **facts)
    if heard is not None:
        watch.queries.update(active_from=now + heard * HOUR)
    if ended:  # as in the moment between the deletion's two statements
        Watch.objects.filter(id=watch.id).update(ended_at=now)
    _route(watch, route)
    return watch


def _route(watch: Watch, route: str) -> None:
    kinds = ["withdrawn"] if "deaf" in route else []
    # Routes of its own replace the others, also where they hear less.
    make_channel(watch.user, is_default=route in ("default", "own_deaf"))
    own = watch if route.startswith("own") else None
    if route not in ("default", "none"):
        channel = make_channel(watch.user, is_default=False, name="other")
        Route.objects.create(user=watch.user, watch=own, channel=channel, event_kinds=kinds)


def title_of(facts: dict[str, Any], now: dt.datetime) -> Audiobook:
    """A title with up to two pieces of news, among others in which "wave" is a common word."""
    for _ in range(2):
        make_audiobook(now=now, title="Wave", authors=["Una Else"])
    facts = {"asin": "B0GLASS001", **facts}
    then = facts.pop("then")
    audiobook = make_audiobook(now=now, **facts)
    if then:
        make_audiobook(now=now + 2 * HOUR, **{**facts, "out_in": then})
        audiobook.refresh_from_db()
    return audiobook


@pytest.mark.parametrize("name", TITLES)
def test_the_reasons_agree_with_the_statement(name: str, alice: User, now: dt.datetime) -> None:
    """Proves that the second telling of the rules (predicates.py) has not drifted from the first.

    Every title with whatever is otherwise about a watch, the usual one with any two such things.
    """
    audiobook = title_of(TITLE | TITLES[name], now)
    for changes in [{}, *CHANGES, *(PAIRS if name == "usual" else [])]:
        with transaction.atomic():
            watch = watch_of(USUAL | changes, alice, now)
            if changes.get("marked"):
                Mark.objects.create(user=alice, work_id=audiobook.work_id, kind="have_it")
            for event in audiobook.events.select_related("audiobook"):
                agree(watch, event, now + 5 * HOUR)
            for story in stories(watch=watch, audiobook=audiobook, now=now + 5 * HOUR):
                assert story.outcome != "unknown", changes
            transaction.set_rollback(True)


def agree(watch: Watch, event: ReleaseEvent, now: dt.datetime) -> None:
    match = matcher(event)
    wanted = any(
        watch_id == watch.id for _, watch_id in match.wanted(user_id=watch.user_id, now=now)
    )
    own = Route.objects.filter(watch=watch)
    routes = own or Route.objects.filter(user=watch.user, watch=None)
    hears = any(not each.event_kinds or event.kind in each.event_kinds for each in routes)
    held = conditions(match, watch_id=watch.id)
    assert wanted == (hears and all(held.values())), held


def test_every_condition_can_be_the_only_one_that_fails(alice: User, now: dt.datetime) -> None:
    """Proves each condition: one that was left out, or always held, would fail nowhere alone."""
    make_channel(alice)
    audiobook = title_of(TITLE | TITLES["part"], now)
    event = audiobook.events.select_related("audiobook").get(kind="announced")
    alone: dict[str, dict[str, Any]] = {
        "ended": {"ended": True},
        "muted": {"muted": True},
        "keys": {"asked": ("author", "Tom Other")},
        "required": {"asked": ("keyword", "glass wave")},
        "excluded": {"excluded_words": ["tide"]},
        "phrase": {"asked": ("keyword", '"tide glass"')},
        "hidden": {"hidden": ["part"]},
        "language": {"languages": ["german"]},
        "event_kind": {"event_kinds": ["out_now"]},
        "baseline": {"heard": None},
        "age": {"heard": 1},
        "announced_before": {"heard": -1, "include_announced": False, "later": True},
    }
    for name, changed in alone.items():
        with transaction.atomic():
            if changed.pop("later", False):
                Audiobook.objects.filter(id=audiobook.id).update(first_seen_at=now - 2 * HOUR)
            watch = watch_of(USUAL | changed, alice, now)
            event = ReleaseEvent.objects.select_related("audiobook").get(id=event.id)
            held = conditions(matcher(event), watch_id=watch.id)
            failed = [each for each, holds in held.items() if not holds]
            agree(watch, event, now)
            transaction.set_rollback(True)
        assert failed == [name]
    Mark.objects.create(user=alice, work_id=audiobook.work_id, kind="have_it")
    held = conditions(matcher(event), watch_id=watch_of(USUAL, alice, now).id)
    assert [name for name, holds in held.items() if not holds] == ["mark"]


def test_without_a_promise_what_was_told_before_is_the_reason(
    alice: User, now: dt.datetime
) -> None:
    make_channel(alice, name="phone")
    watch = make_watch(alice, now=now, marketplaces=["us", "uk"])
    us = make_audiobook(now=now + HOUR)
    uk = make_audiobook(now=now + HOUR, marketplace="uk", asin=us.asin)
    fan_out(now + HOUR)
    (first,) = stories(watch=watch, audiobook=us, now=now + HOUR)
    (second,) = stories(watch=watch, audiobook=uk, now=now + HOUR)
    assert (first.outcome, second.outcome) == ("waiting", "stopped")
    assert (
        f"phone was told of this work's announced on {now + HOUR:%Y-%m-%d}" in second.steps[-1].text
    )
    assert second.steps[-1].text.endswith(f"by us {us.asin}")


def test_what_changed_since_the_fan_out_is_said_to_have_changed(
    alice: User, now: dt.datetime
) -> None:
    make_channel(alice)
    watch = make_watch(alice, now=now, excluded_words=["tide"])
    audiobook = make_audiobook(now=now + HOUR, title="Glass Tide")
    fan_out(now + HOUR)
    Watch.objects.filter(id=watch.id).update(excluded_keys=[])
    (story,) = stories(watch=watch, audiobook=audiobook, now=now + HOUR)
    assert story.outcome == "stopped"
    assert "something changed since" in story.steps[-1].text


def test_muted_news_stays_recorded_after_the_watch_is_loud_again(
    alice: User, now: dt.datetime
) -> None:
    make_channel(alice)
    watch = make_watch(alice, now=now, muted=True)
    audiobook = make_audiobook(now=now + HOUR)
    fan_out(now + HOUR)
    Watch.objects.filter(id=watch.id).update(muted=False)
    (story,) = stories(watch=watch, audiobook=audiobook, now=now + HOUR)
    assert "the watch was muted" in story.steps[-1].text


def test_news_held_by_the_brake_or_its_visit_says_so(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    watch = make_watch(alice, now=now)
    audiobook = make_audiobook(now=now + HOUR)
    events = ReleaseEvent.objects.filter(audiobook=audiobook)
    said = []
    for change in ({"held_by": 1}, {"braked_at": now}):
        events.update(**change)
        (story,) = stories(watch=watch, audiobook=audiobook, now=now + HOUR)
        said.append((story.outcome, story.steps[-1].text[:21]))
    assert said == [
        ("waiting", "waits for the end of "),
        ("stopped", "held for a person: it"),
    ]


def test_another_watch_of_the_same_reader_may_have_brought_it(
    alice: User, now: dt.datetime
) -> None:
    make_channel(alice)
    make_watch(alice, now=now)
    audiobook = make_audiobook(now=now + HOUR, title="Glass Tide")
    fan_out(now + HOUR)
    later = make_watch(alice, "tide", kind="keyword", now=now)
    (story,) = stories(watch=later, audiobook=audiobook, now=now + HOUR)
    assert (story.outcome, story.steps[-1].name) == ("waiting", "delivery")


@pytest.mark.parametrize(
    ("state", "fields", "outcome", "said"),
    [
        ("sent", {"finalized_at": True}, "told", "sent to webhook channel"),
        ("due", {"next_attempt_at": True, "reason": "HTTP 502"}, "waiting", "HTTP 502"),
        ("sending", {}, "waiting", "on its way"),
        ("failed", {"finalized_at": True, "reason": "gone\x1b[2J"}, "stopped", "attempts: gone[2J"),
        ("held", {}, "stopped", "is disabled"),
    ],
)
def test_a_message_says_how_far_it_came(
    state: str,
    fields: dict[str, Any],
    outcome: str,
    said: str,
    alice: User,
    now: dt.datetime,
) -> None:
    """Proves the guard `clean` in Step: what others say moves no terminal."""
    fields = {name: now if value is True else value for name, value in fields.items()}
    channel = make_channel(alice, name="phone")
    delivery = Delivery(channel=channel, channel_kind="webhook", state="composed", due_at=now)
    delivery.message = Message(channel=channel, state=state, claim_no=3, created_at=now, **fields)
    step, came = progress(delivery, now)
    assert came == outcome
    assert said in step.text


@pytest.mark.parametrize(
    ("state", "outcome"), [("pending", "waiting"), ("held", "stopped"), ("cancelled", "stopped")]
)
def test_a_promise_says_how_far_it_came(
    state: str, outcome: str, alice: User, now: dt.datetime
) -> None:
    channel = make_channel(alice, name="phone")
    delivery = Delivery(channel=channel, channel_kind="webhook", state=state, due_at=now + HOUR)
    step, came = progress(delivery, now)
    assert came == outcome
    assert "phone" in step.text


def test_the_best_story_is_the_one_that_came_furthest(alice: User, now: dt.datetime) -> None:
    make_channel(alice)
    watch = make_watch(alice, now=now, event_kinds=["announced"])
    audiobook = title_of(TITLE, now + HOUR)
    fan_out(now + HOUR)
    found = stories(watch=watch, audiobook=audiobook, now=now + 5 * HOUR)
    assert [story.outcome for story in found] == ["waiting", "stopped"]
    assert best(found) == found[0]
    assert best([]) is None

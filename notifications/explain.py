"""Whether a watch wants a title, and what became of each piece of its news. Reads only.

That an event is wanted is said by the matching statement itself; notifications/predicates.py only
finds the words for why it is not.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from catalog.brake import BY_RESTORE
from catalog.marketplaces import MARKETPLACES
from catalog.models import Audiobook, Mark, ReleaseEvent, Watch, WatchKey
from catalog.steps import Step, joined, moment
from notifications.matching import Matcher, matcher
from notifications.models import Channel, Delivery, Refan, Route, Told
from notifications.predicates import conditions
from notifications.progress import Outcome, progress

MOST_EVENTS = 20  # the newest
_MOST_KEYS = 5  # named of each side


@dataclass(frozen=True, slots=True)
class Story:
    """How one piece of news went; its last step says what came of it."""

    steps: tuple[Step, ...]
    outcome: Outcome


def about_match(*, watch: Watch, audiobook: Audiobook) -> list[Step]:
    """Whether such a title is one that the watch asks for, whatever its news."""
    event = audiobook.events.order_by("-revision").first() or _as_if_new(audiobook)
    event.audiobook = audiobook
    held = conditions(matcher(event), watch_id=watch.pk)
    return [step for name, about in _OF_TITLE.items() for step in about(watch, audiobook, held)]


def _as_if_new(audiobook: Audiobook) -> ReleaseEvent:
    """Back catalogue has no news to be held against a watch."""
    return ReleaseEvent(kind="announced", seen_at=audiobook.first_seen_at, audiobook=audiobook)


def stories(
    *, watch: Watch, audiobook: Audiobook, now: dt.datetime, most: int = MOST_EVENTS
) -> list[Story]:
    """One for each of the newest pieces of the title's news, oldest first."""
    newest = audiobook.events.order_by("-revision")[:most]
    return [_story(event, audiobook, watch, now) for event in reversed(list(newest))]


def _story(event: ReleaseEvent, audiobook: Audiobook, watch: Watch, now: dt.datetime) -> Story:
    event.audiobook = audiobook
    told = Step("news", "passed", _news(event))
    mine = _deliveries(event, watch).filter(watch_ids__contains=[watch.pk])
    if promised := [progress(delivery, now) for delivery in mine]:
        steps = [told, Step("match", "passed", "wanted by this watch when it was told")]
        return _ending(steps, promised)
    match = matcher(event)
    wanted = match.wanted(user_id=watch.user_id, now=now)
    channels = sorted(channel_id for channel_id, watch_id in wanted if watch_id == watch.pk)
    if not channels:
        return _unwanted([told], match, watch, event)
    steps = [told, Step("match", "passed", "wanted by this watch")]
    return _ending(steps, [_wanted(event, watch, each, now) for each in channels])


def _ending(steps: Sequence[Step], ends: Sequence[tuple[Step, Outcome]]) -> Story:
    """All that came of it, the best last."""
    ranked = sorted(ends, key=lambda end: _RANK[end[1]])
    return Story((*steps, *(step for step, _ in ranked)), ranked[-1][1])


_RANK: dict[Outcome, int] = {"unknown": 0, "stopped": 1, "waiting": 2, "told": 3}


def best(found: Sequence[Story]) -> Story | None:
    """The one that came furthest; of equals the newest."""
    return max(reversed(found), key=lambda story: _RANK[story.outcome], default=None)


def _news(event: ReleaseEvent) -> str:
    text = f"{event.kind}, seen {moment(event.seen_at)}"
    text += f", {event.old_date or 'no date'} → {event.new_date}" if event.old_date else ""
    text += ", found late" if event.found_late else ""
    return text + (", unconfirmed" if event.unconfirmed else "")


def _deliveries(event: ReleaseEvent, watch: Watch) -> QuerySet[Delivery]:
    """Its reader's, found by their channels: thousands of others may have been promised it."""
    mine = Delivery.objects.filter(event=event, channel__user_id=watch.user_id)
    return mine.select_related("channel", "message").order_by("id")


# -- wanted, but not promised to this watch --------------------------------------------------------
def _wanted(
    event: ReleaseEvent, watch: Watch, channel_id: int, now: dt.datetime
) -> tuple[Step, Outcome]:
    """What became of news that the watch wants over a channel."""
    other = _deliveries(event, watch).filter(channel_id=channel_id).exclude(watch_ids=[]).first()
    if other:  # another watch of the same reader had it promised
        return progress(other, now)
    channel = Channel.objects.get(id=channel_id)
    if event.braked_at:
        return Step("told", "stopped", _why_braked(event)), "stopped"
    if event.held_by is not None:
        return Step("told", "passed", "waits for the end of the visit that brought it"), "waiting"
    if told := _told(event, watch, channel):
        return Step("told", "stopped", _told_text(told, event, channel)), "stopped"
    if _is_coming(event, watch):
        return Step("told", "passed", f"is about to be promised to {channel}"), "waiting"
    when = moment(event.fanned_out_at) if event.fanned_out_at else "then"
    changed = f"wanted as things stand, but not when it was told ({when}): something changed since"
    return Step("told", "stopped", changed), "stopped"


def _is_coming(event: ReleaseEvent, watch: Watch) -> bool:
    """Whether the fan-out has yet to come to this reader, or comes once more."""
    is_ahead = event.fanned_out_at is None and event.fanned_through < watch.user_id
    return is_ahead or Refan.objects.filter(event=event, user_id=watch.user_id).exists()


def _told(event: ReleaseEvent, watch: Watch, channel: Channel) -> Told | None:
    edition = event.audiobook if watch.per_edition else None
    return (
        Told.objects.filter(
            work_id=event.audiobook.work_id,
            channel=channel,
            audiobook=edition,
            kind=event.kind,
            value=event.value,
        )
        .select_related("event__audiobook")
        .first()
    )


def _told_text(told: Told, event: ReleaseEvent, channel: Channel) -> str:
    when, value = moment(told.told_at), f" {told.value}" if told.value else ""
    if told.event_id == event.pk:
        return f"recorded for {channel} on {when} without telling it: the watch was muted"
    by = told.event.audiobook
    return f"{channel} was told of this work's {told.kind}{value} on {when}, by {by.marketplace} {by.asin}"


# -- not wanted ------------------------------------------------------------------------------------
def _unwanted(steps: list[Step], match: Matcher, watch: Watch, event: ReleaseEvent) -> Story:
    held = conditions(match, watch_id=watch.pk)
    failed = [name for name, holds in held.items() if not holds]
    reasons = [Step("match", "stopped", _OF_NEWS[name]) for name in failed if name in _OF_NEWS]
    if failed and not reasons:
        reasons = [Step("match", "stopped", f"stopped above: {joined(failed)}")]
    reasons = reasons or _about_routes(watch, event.kind)
    outcome: Outcome = "stopped"
    if not reasons:
        reasons = [Step("match", "unknown", "not wanted, and no condition alone says why")]
        outcome = "unknown"
    return Story((*steps, *reasons), outcome)


_OF_NEWS = {
    "event_kind": "the watch does not hear this kind of news",
    "baseline": "the watch is not heard before its first complete pass is over",
    "age": "seen before the watch was heard: it takes part in later news only",
    "announced_before": "the title was there before the watch, which asked for new ones only"
    " (or it was out by then)",
}


def _about_routes(watch: Watch, kind: str) -> list[Step]:
    """Why news that the watch wants reaches no channel; nothing where one hears it."""
    own = Route.objects.filter(user_id=watch.user_id, watch=watch)
    default = Route.objects.filter(user_id=watch.user_id, watch=None)
    routes = list(own.select_related("channel")) or list(default.select_related("channel"))
    if not routes:
        return [Step("route", "stopped", "its reader has no channel for it")]
    if any(not route.event_kinds or kind in route.event_kinds for route in routes):
        return []
    deaf = joined(str(route.channel) for route in routes)
    return [Step("route", "stopped", f"{deaf}: does not hear {kind}")]


def _why_braked(event: ReleaseEvent) -> str:
    if event.held_by == BY_RESTORE:
        return "held for a person: a restore has forgotten whether it was told"
    return "held for a person: its visit brought too much news, or was the first after a restore"


def reasons(*, watch: Watch, audiobook: Audiobook, held: Mapping[str, bool]) -> list[str]:
    """Why a watch does not want news of a title, in words; no row is read."""
    steps = [
        step
        for about in (_about_kind, _about_language, _about_words)
        for step in about(watch, audiobook, held)
    ]
    texts = [f"{step.name}: {step.text}" for step in steps if step.mark == "stopped"]
    texts += [] if held["mark"] else ["mark: its reader has it, or is not interested"]
    return texts + [words for name, words in _OF_NEWS.items() if not held.get(name, True)]


# -- what the watch asks of a title ----------------------------------------------------------------
def _about_kind(watch: Watch, audiobook: Audiobook, held: Mapping[str, bool]) -> list[Step]:
    what = joined(dict.fromkeys([audiobook.kind, *audiobook.traits]))
    text = f"{what}, voice {audiobook.voice}"
    if not held["hidden"]:
        hidden = joined(sorted({*watch.hidden} & {*audiobook.traits}))
        return [Step("kind", "stopped", f"{text}; the watch hides {hidden}")]
    return [Step("kind", "passed", text)]


def _about_language(watch: Watch, audiobook: Audiobook, held: Mapping[str, bool]) -> list[Step]:
    own = MARKETPLACES[audiobook.marketplace].language
    asked = joined(watch.languages, nothing=f"{own}, the marketplace's own")
    said = audiobook.language or "not said, which passes"
    if not held["language"]:
        return [Step("language", "stopped", f"{said}; the watch asks for {asked}")]
    return [Step("language", "passed", said)]


def _about_keys(watch: Watch, audiobook: Audiobook, held: Mapping[str, bool]) -> list[Step]:
    asked = sorted(WatchKey.objects.filter(watch=watch).values_list("key", flat=True))
    shared = [key for key in asked if key in audiobook.match_keys]
    if held["keys"]:
        return [Step("keys", "passed", f"both have {joined(shared[:_MOST_KEYS])}")]
    family = "word" if watch.kind == Watch.Kind.KEYWORD else watch.kind
    prefixes = (f"{family}:", f"{family}~")
    alike = [key for key in audiobook.match_keys if key.startswith(prefixes)]
    text = f"the watch asks for {_some(asked)}, the title has {_some(alike)}"
    return [Step("keys", "stopped", text)]


def _some(keys: Sequence[str]) -> str:
    rest = [f"{len(keys) - _MOST_KEYS} more"] if len(keys) > _MOST_KEYS else []
    return joined([*keys[:_MOST_KEYS], *rest])


def _about_words(watch: Watch, audiobook: Audiobook, held: Mapping[str, bool]) -> list[Step]:
    has = set(audiobook.match_keys)
    lacks = {
        "required": f"lacks {_words(key for key in watch.required_keys if key not in has)}",
        "excluded": f"has {_words(key for key in watch.excluded_keys if key in has)},"
        " which the watch excludes",
        "phrase": f'no title of it has "{watch.phrase.strip()}"',
    }
    return [Step("words", "stopped", text) for name, text in lacks.items() if not held[name]]


def _words(keys: Iterable[str]) -> str:
    return joined(key.removeprefix("word:") for key in keys)


def _about_shown(watch: Watch, audiobook: Audiobook, held: Mapping[str, bool]) -> list[Step]:
    if held["shown"] or audiobook.hidden_at is None:
        return []
    text = f"the operators have hidden it since {moment(audiobook.hidden_at)}: nobody is told of it"
    return [Step("hidden", "stopped", text)]


def _about_mark(watch: Watch, audiobook: Audiobook, held: Mapping[str, bool]) -> list[Step]:
    if held["mark"]:
        return []
    mark = Mark.objects.get(user_id=watch.user_id, work_id=audiobook.work_id)
    when = moment(mark.created_at)
    return [Step("mark", "stopped", f'its reader said "{mark.get_kind_display()}" on {when}')]


_OF_TITLE: dict[str, Callable[[Watch, Audiobook, Mapping[str, bool]], list[Step]]] = {
    "kind": _about_kind,
    "language": _about_language,
    "keys": _about_keys,
    "words": _about_words,
    "mark": _about_mark,
    "shown": _about_shown,
}

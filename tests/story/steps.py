"""What may happen in the story: each step is a verb and a number from which all its choices follow."""

import datetime as dt
import random
from collections.abc import Callable

from tests.story import model
from tests.story.model import Title
from tests.story.stage import AUTHORS, DAY, KEYWORD, MARKETPLACES, NARRATOR, SERIES, Cut, Stage

Step = tuple[str, int]
# So many titles at once are more than the brake lets through.
FLOOD = 51
# Of what is missing, a visit asks for five alone.
MISSING_MAX = 4
MOODS = ("429", "503", "error500", "empty", "captcha", "truncated", "stubs")
STRIKES = ("die", "forget", "lose", "429", "error500", "truncated", "stubs")


def announce(stage: Stage, rng: random.Random) -> None:
    marketplace = rng.choice(MARKETPLACES)
    today = stage.emulator.today(marketplace)
    days = rng.choice((1, 2, 5, 20, 20, 60, 60, 0, -5, -30))
    stage.announce(
        marketplace,
        rng.choice(AUTHORS),
        _name(stage, rng),
        release_date=today + days * DAY,
        dated=rng.random() > 0.1,
        series=SERIES if marketplace == "us" and rng.random() < 0.4 else None,
        narrators=rng.choice(((), (), (NARRATOR,), ("Otto Hale",))),
    )


def _name(stage: Stage, rng: random.Random) -> str:
    return f"{rng.choice((KEYWORD.title(), 'Glass'))} {_letters(len(stage.model.store))}"


def _letters(number: int) -> str:
    """A word of its own for each number."""
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number:04}").title()


def flood(stage: Stage, rng: random.Random) -> None:
    """A misread page, or a changed store; the second time what it brought moves."""
    flooded = [each for each in stage.model.store.values() if each.name.startswith("Flood")]
    day = stage.emulator.today("us") + rng.choice((100, 200)) * DAY
    for title in flooded:
        stage.emulator.move_date("us", title.asin, day)
        stage.read_again(title)
    while len(flooded) < FLOOD:
        name = f"Flood {_letters(len(stage.model.store))}"
        flooded.append(stage.announce("us", AUTHORS[0], name, release_date=day))


def move(stage: Stage, rng: random.Random) -> None:
    if title := _some(stage, rng):
        today = stage.emulator.today(title.marketplace)
        # Few days, so that dates come back.
        day = rng.choice((today + 40 * DAY, dt.date(2026, 9, 1), dt.date(2026, 10, 1), today - DAY))
        stage.emulator.move_date(title.marketplace, title.asin, day)
        stage.read_again(title)


def _some(stage: Stage, rng: random.Random, **wanted: bool) -> Title | None:
    """A title of ours; the latest ones first of all."""
    found = [
        each
        for each in stage.model.store.values()
        if each.name.split()[0] in (KEYWORD.title(), "Glass")
        and all(getattr(each, name) == value for name, value in wanted.items())
    ]
    return rng.choice(found[-8:]) if found else None


def _change(verb: str, **wanted: bool) -> Callable[[Stage, random.Random], None]:
    def change(stage: Stage, rng: random.Random) -> None:
        if title := _some(stage, rng, **wanted):
            getattr(stage.emulator, verb)(title.marketplace, title.asin)
            stage.read_again(title)

    return change


def withdraw(stage: Stage, rng: random.Random) -> None:
    known = stage.model.known
    missing = [
        each
        for each in stage.model.store.values()
        if each.is_withdrawn and each.asin in known and not known[each.asin].is_withdrawn
    ]
    if len(missing) < MISSING_MAX:
        _change("withdraw", is_withdrawn=False)(stage, rng)


def cast(stage: Stage, rng: random.Random) -> None:
    """Who reads it becomes known, or turns out to be somebody else."""
    if title := _some(stage, rng):
        narrator = rng.choice((NARRATOR, "Otto Hale"))
        stage.emulator.change(title.marketplace, title.asin, narrators=[narrator])
        stage.read_again(title)


def sell_also(stage: Stage, rng: random.Random) -> None:
    """Once: a second one in the same marketplace would be a re-issue, which nobody here hears of."""
    title = _some(stage, rng)
    books = [each.book for each in stage.model.store.values()]
    if title and books.count(title.book) == 1:
        stage.sell_also(title)


def watch(stage: Stage, rng: random.Random) -> None:
    """Somebody new cares about what others may care about already, or about one title."""
    user = f"late{len(stage.users)}"
    title = _some(stage, rng)
    if title is None or len(stage.users) > 8:
        return
    choices = [
        model.Watch(user, "author", AUTHORS[0].lower(), ("us",)),
        model.Watch(user, "author", AUTHORS[1].lower(), MARKETPLACES, per_edition=True),
        model.Watch(user, "asin", title.asin, (title.marketplace,)),
    ]
    stage.watch(rng.choice(choices))


def visit(stage: Stage, rng: random.Random) -> None:
    """Some queries, in any order; the others lag."""
    places = stage.places()
    chosen = rng.sample(places, rng.randint(1, min(4, len(places))))
    stage.visit(chosen, rng=rng, later=_wait(rng), lose_hints=rng.random() < 0.3)


def cut(stage: Stage, rng: random.Random) -> None:
    """A visitor dies half-way, loses its lease, or the store has had enough."""
    strike = Cut(rng.choice(STRIKES), rng.randint(0, 3))
    place = rng.choice([each for each in stage.places() if each[1] != "due"])
    stage.visit([place], rng=rng, later=_wait(rng), lose_hints=rng.random() < 0.3, cut=strike)


def _wait(rng: random.Random) -> dt.timedelta:
    """Odd, so that no two moments are exactly a limit apart."""
    minutes = rng.choice((5, 31, 31, 180, 400, 1500))
    return dt.timedelta(minutes=minutes, milliseconds=rng.randint(0, 100_000))


def upset(stage: Stage, rng: random.Random) -> None:
    stage.upset(rng.choice(MARKETPLACES), rng.choice(MOODS))


def heal(stage: Stage, rng: random.Random) -> None:
    for marketplace in MARKETPLACES:
        stage.heal(marketplace)


def sweep(stage: Stage, rng: random.Random) -> None:
    stage.sweep(rng)


def mark_out(stage: Stage, rng: random.Random) -> None:
    stage.mark_out(rng, lose_hints=rng.random() < 0.3)


def release_braked(stage: Stage, rng: random.Random) -> None:
    stage.release_braked()


def days_pass(stage: Stage, rng: random.Random) -> None:
    stage.pass_time(rng.randint(1, 3) * DAY)


VERBS: dict[str, tuple[int, Callable[[Stage, random.Random], None]]] = {
    "announce": (5, announce),
    "flood": (1, flood),
    "move": (6, move),
    "fill_in": (2, _change("fill_in")),
    "cast": (2, cast),
    "release": (2, _change("release")),
    "withdraw": (4, withdraw),
    "restore": (2, _change("restore", is_withdrawn=True)),
    "sell_also": (2, sell_also),
    "watch": (1, watch),
    "visit": (18, visit),
    "cut": (4, cut),
    "upset": (1, upset),
    "heal": (3, heal),
    "sweep": (4, sweep),
    "mark_out": (1, mark_out),
    "release_braked": (1, release_braked),
    "days_pass": (2, days_pass),
}


def story(seed: int, length: int) -> list[Step]:
    """The same for the same seed, whatever else is loaded: one that fails can be told again."""
    chance = random.Random(seed)
    verbs, weights = list(VERBS), [weight for weight, _ in VERBS.values()]
    said = chance.choices(verbs, weights, k=length)
    return [(verb, chance.randrange(10_000)) for verb in said]


def take(stage: Stage, steps: list[Step]) -> None:
    """Play the story; after each step exactly what the model says was told."""
    for number, (verb, choice) in enumerate(steps):
        try:
            VERBS[verb][1](stage, random.Random(f"{verb} {choice}"))
            stage.check()
        except AssertionError as error:
            error.add_note(f"in step {number} of the story: {verb} {choice}")
            raise

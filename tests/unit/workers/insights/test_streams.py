"""From rows to streams."""

import datetime as dt
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.insights.streams import (
    DUMP,
    MOST_TITLES,
    NEVER,
    SAME_RELEASE,
    Stream,
    collapsed,
    end_of,
    is_nobody,
    stream_of,
    streams_of,
)

TODAY = dt.date(2024, 6, 1)
MAY = dt.date(2024, 5, 1)

days = st.dates(dt.date(2000, 1, 1), dt.date(2030, 1, 1))
rows = st.lists(st.tuples(st.sampled_from("abc"), days), max_size=80)


def stream(*given: dt.date) -> Stream:
    return streams_of([("x", day) for day in given], today=TODAY)[0]


@given(st.lists(st.integers(0, 3000), max_size=60).map(sorted))
def test_releases_lie_more_than_a_week_apart_and_every_day_belongs_to_one(given: list[int]) -> None:
    firsts = collapsed(given)
    gaps = [later - earlier for earlier, later in pairwise(firsts)]
    assert all(gap > SAME_RELEASE for gap in gaps)
    assert all(any(0 <= day - first <= SAME_RELEASE for first in firsts) for day in given)


@given(rows, rows, days)
def test_no_later_row_changes_what_came_before(
    before: list[tuple[str, dt.date]], after: list[tuple[str, dt.date]], day: dt.date
) -> None:
    past = [row for row in before if row[1] <= day]
    later = [row for row in after if row[1] > day]
    known = {each.name: each for each in streams_of(past, today=dt.date(2031, 1, 1))}
    for each in streams_of(past + later, today=dt.date(2031, 1, 1)):
        seen = tuple(number for number in each.days if number <= day.toordinal())
        assert seen == (known[each.name].days if each.name in known else ())


@given(rows, st.randoms())
def test_the_order_of_rows_does_not_matter(
    given: list[tuple[str, dt.date]], random: object
) -> None:
    shuffled = list(given)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert streams_of(shuffled, today=TODAY) == streams_of(given, today=TODAY)


def test_a_dump_is_no_release() -> None:
    """Proves the guard on dumps: without it the day they were put on sale is in the rhythm."""
    early = MAY - dt.timedelta(days=300)
    assert stream(early, *[MAY] * DUMP).days == (early.toordinal(),)
    assert len(stream(early, *[MAY] * (DUMP - 1)).days) == 2


def test_placeholders_and_the_future_are_left_out() -> None:
    """Proves the guard on dates: without it a stream's last release lies ahead of us."""
    made_up = (dt.date(2200, 1, 1), dt.date(2099, 12, 29), dt.date(1, 1, 1), dt.date(2024, 6, 2))
    assert stream(MAY, *made_up).days == (MAY.toordinal(),)


def test_who_has_too_many_titles_is_junk_from_then_on_and_not_before() -> None:
    """Proves the cap, and that it looks at no later title."""
    titles = Counter({number * 10: 1 for number in range(1, MOST_TITLES + 2)})
    assert stream_of("x", titles).junk_from == (MOST_TITLES + 1) * 10
    del titles[10]
    assert stream_of("x", titles).junk_from == NEVER


@pytest.mark.parametrize("name", ["div.", "N.N.", "Various authors|english", "DIVERSE|german"])
def test_nobody_in_particular_has_no_stream(name: str) -> None:
    assert is_nobody(name)
    assert streams_of([(name, MAY)], today=TODAY) == []


def test_a_name_that_only_begins_like_nobody_is_somebody() -> None:
    assert not is_nobody("Nnedi Okorafor|english")
    assert not is_nobody("Moreno")


def test_a_few_announced_titles_do_not_move_the_end() -> None:
    whole = [Stream(str(number), (number,)) for number in range(1, 1001)]
    assert end_of([*whole, Stream("late", (9000,))]) == 1000

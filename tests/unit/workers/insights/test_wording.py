"""Windows in words."""

import datetime as dt

import pytest

from workers.insights.wording import worded

TODAY = dt.date(2026, 11, 28)


@pytest.mark.parametrize(
    ("low", "middle", "high", "said"),
    [
        (3, 20, 33, "1 December to 31 December 2026"),
        (3, 50, 100, "1 December 2026 to 8 March 2027"),
        (3, 3, 3, "1 December 2026"),
        (30, 180, 230, "spring 2027"),
        (30, 60, 200, "early 2027"),
        (30, 240, 330, "2027"),
        (30, 240, 600, None),
    ],
)
def test_the_wider_the_vaguer(low: float, middle: float, high: float, said: str | None) -> None:
    assert worded(TODAY, low=low, middle=middle, high=high, chance=0.9) == said


def test_what_will_hardly_come_is_not_said() -> None:
    assert worded(TODAY, low=3, middle=20, high=33, chance=0.1) is None

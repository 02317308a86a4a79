"""How the settings about politeness are read, and what is said of those that can't be."""

import datetime as dt
from typing import Any

import pytest
from pytest_django import Settings

from scraping.checks import check_pace
from scraping.pace import Pace, pace_of

SECOND = dt.timedelta(seconds=1)


@pytest.mark.parametrize(
    ("intervals", "bursts", "expected"),
    [
        ([], [], Pace(3 * SECOND, 1)),
        (["us=2", "jp=10"], [], Pace(2 * SECOND, 1)),
        (["jp=10"], ["us=4"], Pace(3 * SECOND, 4)),
        ([" us = 0.5 "], [" us=2 "], Pace(0.5 * SECOND, 2)),
    ],
)
def test_a_marketplace_may_have_its_own_pace(
    intervals: list[str], bursts: list[str], expected: Pace, settings: Settings
) -> None:
    settings.STORE_REQUEST_INTERVALS, settings.STORE_BURSTS = intervals, bursts
    assert pace_of("us") == expected


def test_the_defaults_are_those_of_a_good_guest(settings: Settings) -> None:
    assert pace_of("us") == Pace(3 * SECOND, 1)
    assert settings.STORE_BREAKER_FAILURES == 5
    assert check_pace() == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("STORE_SOURCES", ["audible_html"], "names no marketplace"),
        (
            "STORE_SOURCES",
            ["jp=audible"],
            "STORE_SOURCES: jp must be one of audible_api, audible_html",
        ),
        ("STORE_REQUEST_INTERVALS", ["uk=2", "xx=3"], "'xx=3' names no marketplace; they are us"),
        ("STORE_REQUEST_INTERVALS", ["2"], "'2' names no marketplace"),
        ("STORE_REQUEST_INTERVALS", ["us"], "'us' has no number; write it as us=2,jp=10"),
        ("STORE_REQUEST_INTERVALS", ["us=two"], "'us=two' has no number"),
        ("STORE_REQUEST_INTERVALS", ["us=-1"], "us must be at least 0"),
        ("STORE_REQUEST_INTERVALS", ["us=nan"], "us must be at least 0"),
        ("STORE_REQUEST_INTERVALS", ["us=inf"], "us must be at least 0"),
        ("STORE_BURSTS", ["us=0"], "us must be at least 1"),
        ("STORE_BURST", 0, "must be at least 1"),
        ("STORE_REQUEST_INTERVAL", -SECOND, "is negative"),
        ("STORE_BREAKER_FAILURES", 0, "must be at least 1"),
        ("STORE_BREAKER_OPEN", 0 * SECOND, "must be longer"),
    ],
)
def test_what_cannot_be_obeyed_is_said_before_anything_starts(
    name: str, value: Any, said: str, settings: Settings
) -> None:
    setattr(settings, name, value)
    (problem,) = check_pace()
    assert problem.id == "scraping.E001"
    assert problem.msg.startswith(name)
    assert said in problem.msg

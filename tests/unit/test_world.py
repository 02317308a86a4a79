"""The sums behind docs/explanation/scale.md."""

import dataclasses

from tests.benchmarks.world import Costs, World, kept, release, usual_day

COSTS = Costs(
    page_s=0.1,
    title_s=0.001,
    match_s=0.002,
    promise_s=0.00005,
    promise_database_s=0.00004,
    send_s=0.001,
    send_database_s=0.0005,
    watch_bytes=500,
    told_bytes=200,
    delivery_bytes=1000,
)
FAST = dataclasses.replace(COSTS, send_s=1e-6, send_database_s=1e-7)


def test_with_few_senders_they_are_what_one_waits_for() -> None:
    one = release(World(), COSTS, processes=1, cores=16)
    four = release(World(), COSTS, processes=4, cores=16)
    assert (one["bottleneck"], one["all_s"]) == ("senders", 2000)
    assert four["all_s"] == 500


def test_with_many_senders_it_is_the_database_and_then_the_one_queue_of_an_event() -> None:
    many = release(World(), COSTS, processes=1000, cores=2)
    assert many["bottleneck"] == "PostgreSQL"
    assert 500 <= many["all_s"] <= 550
    last = release(World(), FAST, processes=1000, cores=64)
    assert last["bottleneck"] == "fan-out"
    assert last["all_s"] == 100  # two million, 20,000 a second
    assert last["p50_s"] == 50


def test_the_day_is_as_long_as_the_stores_let_it_be() -> None:
    day = usual_day(World(targets=400_000, pages=1.0), COSTS)
    assert day["requests"] == 400_000
    assert day["busy"]["turns at stores (of all there are)"] == 1.263
    assert day["hours_between_visits"] == 30.3
    assert day["bottleneck"].startswith("turns at stores")


def test_what_is_kept_is_what_is_told_times_its_size() -> None:
    assert kept(World(), COSTS) == {
        "watches_gb": 50,
        "told_gb_a_year": 120,
        "messages_gb": 650,
    }

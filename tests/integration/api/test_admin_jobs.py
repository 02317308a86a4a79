"""/api/admin/jobs: what ran, and what came of it."""

import datetime as dt

import pytest
import sqlalchemy as sa
from rest_framework.test import APIClient

from workers.ledger import slots
from workers.ledger.tables import job_run, job_slot

JOBS = "/api/admin/jobs"
SLOT = dt.datetime(2026, 3, 8, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
SWEEP, PRUNE = "notifications.sweep", "workers.prune"


@pytest.fixture
def ran(ledger: sa.Engine) -> None:
    """A sweep that failed and then worked, one that is open, and an hour's clearing up that is due."""
    run(SWEEP, SLOT, error="ValueError: no")
    run(SWEEP, SLOT, rows=7)
    claim(SWEEP, SLOT + MINUTE)
    slots.open_slots(slots=[(PRUNE, SLOT)])


def claim(job: str, slot: dt.datetime) -> slots.Claim:
    slots.open_slots(slots=[(job, slot)])
    mine = slots.claim(job=job, slot=slot, now=slot, lease=MINUTE, task_id="t", worker="w")
    assert mine
    return mine


def run(job: str, slot: dt.datetime, *, rows: int | None = None, error: str = "") -> None:
    slots.finish(claim=claim(job, slot), now=slot + MINUTE, rows=rows, error=error)


def runs_of(client: APIClient, query: str = "") -> list[tuple[str, int, str | None]]:
    rows = client.get(JOBS + query).json()["results"]
    return [(row["job"], row["attempt"], row["outcome"]) for row in rows]


@pytest.mark.usefixtures("ran")
def test_runs_are_listed_the_newest_first(operator: APIClient) -> None:
    opened, second, first = (SWEEP, 1, None), (SWEEP, 2, "done"), (SWEEP, 1, "failed")
    assert runs_of(operator) == [opened, second, first]
    assert runs_of(operator, "?outcome=failed") == [first]
    assert runs_of(operator, "?outcome=done") == [second]
    assert runs_of(operator, "?outcome=open") == [opened]
    assert runs_of(operator, f"?job={PRUNE}") == []


@pytest.mark.usefixtures("ran")
def test_slots_are_listed_whether_they_ran_or_not(operator: APIClient) -> None:
    def states(query: str = "") -> list[tuple[str, str]]:
        rows = operator.get(f"{JOBS}/slots{query}").json()["results"]
        return [(row["job"], row["state"]) for row in rows]

    assert states() == [(SWEEP, "running"), (PRUNE, "due"), (SWEEP, "done")]
    assert states("?state=due") == [(PRUNE, "due")]
    assert states(f"?job={SWEEP}&state=done") == [(SWEEP, "done")]


@pytest.mark.usefixtures("ran")
@pytest.mark.parametrize("path", [JOBS, f"{JOBS}/slots"])
def test_pages_go_on_where_the_one_before_ended(operator: APIClient, path: str) -> None:
    whole = operator.get(path).json()
    assert whole["next"] is None
    pages, url = [], f"{path}?page_size=1"
    while url:
        page = operator.get(url).json()
        pages += page["results"]
        url = page["next"]
    assert pages == whole["results"]
    assert len(pages) == 3


@pytest.mark.usefixtures("ran")
def test_one_run_is_shown_with_its_slot_and_its_other_runs(operator: APIClient) -> None:
    _, second, first = operator.get(JOBS).json()["results"]
    shown = operator.get(f"{JOBS}/{second['id']}").json()
    assert shown["attempts"] == [first, second]
    assert (shown["rows"], shown["of_slot"]["state"], shown["of_slot"]["claim_no"]) == (
        7,
        "done",
        2,
    )
    assert first["error"] == "ValueError: no"
    for number in (0, second["id"] + 99, 10**30):
        assert operator.get(f"{JOBS}/{number}").status_code == 404


@pytest.mark.parametrize(
    ("path", "query"),
    [
        *((JOBS, "job=nothing"), (JOBS, "outcome=well"), (JOBS, "cursor=x"), (JOBS, "page_size=0")),
        *((JOBS, "page_size=201"), (f"{JOBS}/slots", "state=odd"), (f"{JOBS}/slots", "cursor=x")),
        (f"{JOBS}/slots", "cursor=2026-03-08T12:00:00+00:00"),
        (f"{JOBS}/slots", "cursor=2026-03-08T12:00:00 notifications.sweep"),
        (f"{JOBS}/slots", "cursor=0001-01-01T00:00:00%2B14:00 x"),
    ],
)
def test_what_can_not_be_meant_is_refused(
    operator: APIClient, ledger: sa.Engine, path: str, query: str
) -> None:
    assert operator.get(f"{path}?{query}").status_code == 400


@pytest.mark.usefixtures("ran")
def test_looking_changes_nothing(operator: APIClient, ledger: sa.Engine) -> None:
    def everything() -> list[object]:
        with ledger.connect() as connection:
            return [connection.execute(sa.select(each)).all() for each in (job_run, job_slot)]

    before = everything()
    for path in (JOBS, f"{JOBS}/slots"):
        for method in ("post", "put", "patch", "delete"):
            assert getattr(operator, method)(path, {}).status_code == 405
    assert everything() == before


@pytest.mark.usefixtures("ran")
def test_a_page_is_one_question_however_many_rows(operator: APIClient, ledger: sa.Engine) -> None:
    asked: list[str] = []
    sa.event.listen(ledger, "before_cursor_execute", lambda *said: asked.append(said[2]))
    operator.get(JOBS)
    for minute in range(2, 12):
        run(SWEEP, SLOT + minute * MINUTE, rows=1)
    asked.clear()
    operator.get(JOBS)
    assert len([statement for statement in asked if "job_run" in statement]) == 1

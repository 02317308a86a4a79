"""The description of the API is true: thousands of made-up requests, answered as it says."""

import pytest

from stalkerr import sql
from tests.chaos.fuzz import fuzz_api

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.django_db(transaction=True, reset_sequences=True)  # the first rows are asked for
@pytest.mark.usefixtures("fresh_limits", "ledger")
def test_no_made_up_request_breaks_the_api_or_is_answered_against_its_description() -> None:
    sql.rows("SELECT setval(pg_get_serial_sequence('jobs.job_run', 'id'), 1, false)")
    figures = fuzz_api(cases=1500)
    print(figures)  # noqa: T201 (shown with -s, and where the test fails)
    assert figures["found"] == figures["log"] == figures["not_asked"] == []
    assert figures["server_errors"] == figures["limited"] == 0
    assert figures["cases"] >= 1500
    assert figures["strangers"] > 50
    # Nobody guesses a password or a token, and what failed for good or waits for its confirmation is
    # not there to be found by chance: tests/integration/api has these doors.
    assert set(figures["never_served"]) <= {
        *("DELETE /api/me", "POST /api/token", "POST /api/token/refresh"),
        *("POST /api/admin/jobs/slots/{id}/replay", "POST /api/channels/{id}/send-confirmation"),
    }
    assert figures["held"]

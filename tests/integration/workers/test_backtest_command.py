"""`manage.py backtest`: any table of dates, with no server, and never at start-up."""

import datetime as dt
import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from stalkerr.processes import ROOT
from tests.records import make_rows, written
from workers.insights.backtest import Backtest, backtest
from workers.insights.scores import coverage_by_width
from workers.insights.tables import read_table
from workers.management.commands import backtest as command

KEYS = [
    "model", "medae", "within30", "within60", "within90", "pinball", "coverage80", "width80",
    "brier12", "ece", "fit_s", "predict_s",
]  # fmt: skip
TODAY = dt.date(2026, 11, 28)
DATA = Path(os.environ.get("DATA") or ROOT.parent / "shared" / "data")
LIGHT_NOVELS = DATA / "forecast" / "light_novel_releases.csv"
AUDIBLE = DATA / "audible" / "C_tables" / "in_audible_uncleaned.csv"


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "record.csv"
    path.write_text(written(make_rows(24)))
    return path


def answer(path: Path, *options: str) -> str:
    out = StringIO()
    call_command("backtest", str(path), *options, stdout=out)
    return out.getvalue()


def run_on(path: Path) -> Backtest:
    return backtest(read_table(path).rows, today=TODAY)


def objects(text: str) -> dict[str, dict[str, object]]:
    lines = [json.loads(line) for line in text.splitlines()]
    return {line.get("model", "served"): line for line in lines}


def test_one_object_per_model_and_one_of_what_is_served(record: Path) -> None:
    found = objects(answer(record, "--json"))
    served = found.pop("served")["served"]
    assert all(list(line) == KEYS for line in found.values())
    assert "RandomForestRegressor" in found
    assert isinstance(served, dict)
    assert served["model"] in found
    assert set(served["intervals_95"]) == set(found)


def test_a_table_and_a_verdict(record: Path) -> None:
    said = answer(record)
    assert "record.csv: 10 cut-offs from 2017-01-01 to 2021-07-01" in said
    assert "median gap + empirical" in said
    assert "Served: " in said.splitlines()[-1]


def test_it_needs_no_server(record: Path, tmp_path: Path) -> None:
    """Proves that it starts none: its folder holds no server, only the keys that settings make."""
    var = tmp_path / "var"
    nowhere = {"DATABASE_URL": "", "BROKER_URL": "", "CACHE_URL": "", "VAR_DIR": str(var)}
    run = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "manage.py", "backtest", str(record), "--json"],
        cwd=ROOT,
        env=os.environ | nowhere | {"DJANGO_SETTINGS_MODULE": "stalkerr.settings.local"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "served" in objects(run.stdout)
    assert {path.name for path in var.glob("*")} <= {"secrets"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("entity,date\nx,soon\n", "record.csv, line 2: 'soon' is not a date"),
        ("entity,date\n", "record.csv: There is no release in it"),
        ("entity,date\nx,2024-05-31\n", "record.csv: Too little to judge by: 0 releases"),
    ],
)
def test_what_it_cannot_do_is_one_sentence(record: Path, text: str, said: str) -> None:
    record.write_text(text)
    with pytest.raises(CommandError, match=said):
        answer(record)


def test_without_the_packages_it_says_what_to_install(
    record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "NEEDED", ("numpy", "no_such_package"))
    with pytest.raises(CommandError, match=r"\(no_such_package\).*requirements/ml.txt"):
        answer(record)


def test_what_starts_with_the_product_needs_none_of_the_packages() -> None:
    """Proves the guard on imports: an installation without ml.txt would not start."""
    code = (
        "import sys, django; django.setup()\n"
        "import workers.tasks, api.rest, stalkerr.urls, workers.management.commands.backtest\n"
        "print(sorted({'numpy', 'scipy', 'sklearn', 'lightgbm'} & set(sys.modules)))"
    )
    run = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"


@pytest.mark.slow
@pytest.mark.skipif(not LIGHT_NOVELS.exists(), reason=f"no record at {LIGHT_NOVELS}")
def test_light_novels_are_forecast_as_well_as_we_say() -> None:
    """Holds what docs/explanation/forecasts.md promises of regular series."""
    done = run_on(LIGHT_NOVELS)
    results = {result.model: result for result in done.results}
    scores, naive = results["blend"].scores, results["median gap + empirical quantiles"].scores
    assert done.choice.model == "blend"
    assert scores["pinball"] <= 0.95 * naive["pinball"]
    assert scores["brier12"] <= 0.150
    assert 0.76 <= scores["coverage80"] <= 0.84
    assert scores["within30"] >= 0.44
    assert scores["ece"] <= 0.05
    narrow = coverage_by_width(results["blend"].judged)[0]
    assert narrow[1] > 300
    assert 0.75 <= narrow[3] <= 0.85


@pytest.mark.slow
@pytest.mark.skipif(not AUDIBLE.exists(), reason=f"no record at {AUDIBLE}")
def test_authors_of_a_messy_catalogue_are_forecast_as_well_as_we_say() -> None:
    """Holds what docs/explanation/forecasts.md promises of whole catalogues."""
    done = run_on(AUDIBLE)
    results = {result.model: result for result in done.results}
    scores, naive = results["blend"].scores, results["median gap + empirical quantiles"].scores
    assert done.choice.model == "blend"
    assert scores["pinball"] <= 0.90 * naive["pinball"]
    assert scores["brier12"] <= 0.210
    assert 0.76 <= scores["coverage80"] <= 0.84
    assert scores["ece"] <= 0.05

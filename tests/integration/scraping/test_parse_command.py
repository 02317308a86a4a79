"""`manage.py parse`, as people run it: a process that starts nothing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stalkerr.processes import ROOT

TIDE = {"asin": "B000TIDE01", "title": "Glass Tide", "release_date": "2026-03-01"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "one.json").write_text(json.dumps({"product": TIDE}))
    (tmp_path / "half.json").write_text(json.dumps({"product": TIDE})[:20])
    (tmp_path / "none.json").write_text("")
    (tmp_path / "refused.json").write_text('{"message": "1 validation error detected"}')
    (tmp_path / "stub.json").write_text('{"product": {"asin": "B000TIDE02"}}')
    return tmp_path


def parse(
    folder: Path, *arguments: str, text: str = "", encoding: str = "utf-8"
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 (our own command)
        [sys.executable, ROOT / "manage.py", "parse", *arguments, "--marketplace", "us"],
        cwd=folder,
        env={
            "PATH": "",
            "PYTHONIOENCODING": encoding,
            "VAR_DIR": str(folder / "var"),
            "DJANGO_SETTINGS_MODULE": "stalkerr.settings.local",
        },
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def lines(run: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_a_file_then_its_titles_one_object_a_line(folder: Path) -> None:
    run = parse(folder, "one.json", "stub.json", "refused.json", "--json")
    assert (run.returncode, run.stderr) == (0, "")
    first, tide, stub, refused = lines(run)
    assert first == {"file": "one.json", "outcome": "found"}
    assert list(tide) == [
        *("file", "marketplace", "asin", "title", "subtitle", "language", "release_date"),
        *("runtime_minutes", "publisher", "authors", "narrators", "credits", "series"),
        *("kind", "voice", "provenance"),
    ]
    assert (tide["file"], tide["asin"], tide["kind"]) == ("one.json", "B000TIDE01", "single")
    assert stub == {"file": "stub.json", "outcome": "absent"}
    assert refused["outcome"] == "failed"
    assert "1 validation error" in refused["error"]


def test_broken_files_are_named_and_the_others_still_come_out(folder: Path) -> None:
    run = parse(folder, "half.json", "none.json", "missing.json", ".", "one.json", "--json")
    assert run.returncode == 1
    outcomes = [(line["file"], line["outcome"]) for line in lines(run) if "outcome" in line]
    assert outcomes == [
        *((name, "failed") for name in ("half.json", "none.json", "missing.json", ".")),
        ("one.json", "found"),
    ]
    assert lines(run)[-1]["asin"] == "B000TIDE01"
    assert run.stderr.splitlines() == [
        "half.json: broken JSON",
        "none.json: an empty body",
        "missing.json: No such file or directory",
        ".: Is a directory",
        "CommandError: 4 of 5 could not be read.",
    ]


def test_people_get_a_table_and_may_pipe(folder: Path) -> None:
    run = parse(folder, "-", text=(folder / "one.json").read_text())
    assert run.returncode == 0
    assert "-: found, 1 title\n" in run.stdout
    assert "B000TIDE01  2026-03-01" in run.stdout


def test_a_terminal_of_few_letters_shows_what_it_can(folder: Path) -> None:
    """Proves the guard in what is written: one accent would end the run."""
    (folder / "tide.json").write_text(json.dumps({"product": {**TIDE, "title": "Marée"}}))
    run = parse(folder, "tide.json", "one.json", encoding="ascii")
    assert (run.returncode, run.stderr) == (0, "")
    assert "Mar?e" in run.stdout
    assert "Glass Tide" in run.stdout


def test_it_starts_no_server(folder: Path) -> None:
    """Proves the guard `SERVERLESS` in manage.py: no folder for servers appears."""
    assert parse(folder, "one.json").returncode == 0
    assert not (folder / "var" / "embedded").exists()

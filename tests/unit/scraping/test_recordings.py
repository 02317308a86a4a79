import gzip
import json
from collections.abc import Callable

import pytest

from scraping.recordings import describe, read, source_of

TIDE = {
    "asin": "B000TIDE01",
    "title": "Glass Tide (Part 1 of 2)",
    "subtitle": "Tides, Book 3",
    "language": "english",
    "release_date": "2026-03-01",
    "runtime_length_min": 611,
    "publisher_name": "Glass House",
    "authors": [{"name": "Bo Ek - translator"}, {"asin": "B000ADALUN", "name": "Ada Lund"}],
    "narrators": [{"name": "Virtual Voice"}],
    "series": [{"asin": "B0000TIDES", "title": "Tides", "sequence": "3"}],
}


def answer(*records: dict[str, object]) -> bytes:
    return json.dumps({"products": records}).encode()


def test_a_listing_is_described_for_others() -> None:
    reading = read(answer(TIDE), "us")
    assert (reading.outcome, reading.error, reading.broken) == ("found", "", False)
    assert describe(reading.page.listings[0]) == {
        "marketplace": "us",
        "asin": "B000TIDE01",
        "title": "Glass Tide (Part 1 of 2)",
        "subtitle": "Tides, Book 3",
        "language": "english",
        "release_date": "2026-03-01",
        "runtime_minutes": 611,
        "publisher": "Glass House",
        "authors": ["Ada Lund"],
        "narrators": ["Virtual Voice"],
        "credits": [
            {"name": "Bo Ek", "asin": None, "role": "translator"},
            {"name": "Ada Lund", "asin": "B000ADALUN", "role": "author"},
            {"name": "Virtual Voice", "asin": None, "role": "narrator"},
        ],
        "series": [{"title": "Tides", "asin": "B0000TIDES", "sequence": "3"}],
        "kind": "part",
        "voice": "ai",
        "provenance": "audible_api",
    }


def test_a_date_that_stands_for_unknown_is_none() -> None:
    (listing,) = read(answer({**TIDE, "release_date": "2200-01-01"}), "us").page.listings
    assert describe(listing)["release_date"] is None


@pytest.mark.parametrize(
    ("body", "outcome", "broken"),
    [
        (answer(TIDE), "found", False),
        (answer(), "found", False),
        (answer({"asin": "B000TIDE01"}), "absent", False),
        (answer({"asin": "B000TIDE01"}, {**TIDE, "asin": "B000TIDE02"}), "found", False),
        (b'{"message": "Invalid response group(s) requested: x"}', "failed", False),
        (b'{"message": "Rate exceeded"}', "throttled", False),
        (b"<html><title>503 - Service Unavailable Error</title></html>", "throttled", False),
        (b"<html><head><title>429 Too Many Requests</title></head></html>", "throttled", False),
        (b"<html><title>Robot Check</title><form action=/errors/validateCaptcha>", "failed", True),
        (b"", "failed", True),
        (answer(TIDE)[:-20], "failed", True),
        (b'{"hello": 1}', "failed", True),
    ],
    ids=lambda value: value[:24].decode() if isinstance(value, bytes) else str(value),
)
def test_every_body_has_an_outcome(body: bytes, outcome: str, broken: bool) -> None:
    reading = read(body, "us")
    assert (reading.outcome, reading.broken) == (outcome, broken)
    assert bool(reading.error) is (outcome == "failed")


@pytest.mark.parametrize(
    ("body", "source"),
    [
        (b"{}", "audible_api"),
        (b"", "audible_api"),
        (b" \n <!doctype html>", "audible_html"),
        (b"\xef\xbb\xbf<html>", "audible_html"),
        (b"\xef\xbb\xbf{}", "audible_api"),
    ],
)
def test_a_body_shows_which_source_reads_it(body: bytes, source: str) -> None:
    assert source_of(body) == source


@pytest.mark.parametrize(
    "kept", [gzip.compress, lambda body: body.decode().encode("utf-16")], ids=["gzip", "utf-16"]
)
def test_a_recording_may_be_kept_packed_or_in_another_encoding(
    kept: Callable[[bytes], bytes],
) -> None:
    assert read(kept(answer(TIDE)), "us").page.listed == ("B000TIDE01",)
    told = b"<html><head><title>503 - Service Unavailable Error</title></head></html>"
    assert read(kept(told), "us").outcome == "throttled"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (gzip.compress(answer(TIDE))[:-12], "a broken archive, or one too large"),
        (b"\x1f\x8b" + answer(TIDE), "a broken archive"),
        (gzip.compress(bytes(50_000_001)), "a broken archive, or one too large"),
        (b"%PDF-1.4\n\x00\xff\x01", "not a text"),
        (answer(TIDE).decode().encode("utf-16-le"), "not a text"),
    ],
    ids=["cut", "damaged", "bomb", "pdf", "utf-16 without mark"],
)
def test_what_is_no_text_is_called_so(body: bytes, said: str) -> None:
    """Proves the guard against an archive that would fill the memory."""
    reading = read(body, "us")
    assert (reading.outcome, reading.broken, reading.error) == ("failed", True, said)


def test_several_answers_may_be_kept_in_one_list() -> None:
    one, many = {"product": TIDE}, {"products": [{**TIDE, "asin": "B000TIDE02"}]}
    body = json.dumps([one, {"message": "refused"}, many, 7]).encode()
    assert read(body, "us").page.listed == ("B000TIDE01", "B000TIDE02")
    assert read(b'[{"message": "refused"}]', "us").broken


def test_a_named_source_is_taken_at_its_word() -> None:
    assert read(answer(TIDE), "us", "audible_html").broken

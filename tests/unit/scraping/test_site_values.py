"""Single values as the sites write them: days, lengths, places, forms, counts, addresses."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.marketplaces import MARKETPLACES
from scraping.site.dates import parse_date
from scraping.site.labels import count_in, format_in, names_in, sequence_in, without_label
from scraping.site.links import (
    author_asin,
    category_id,
    is_podcast,
    product_asin,
    series_asin,
    series_title,
)
from scraping.site.runtimes import parse_minutes

DAY = dt.date(2026, 5, 12)


@pytest.mark.parametrize(
    ("text", "marketplace", "day"),
    [
        ("Release date: 05-12-26", "us", DAY),
        ("Release date: 12-05-26", "uk", DAY),
        ("Release date: 12-05-2026", "au", DAY),
        ("Release date: 12-05-26", "in", DAY),
        ("Release date: 2026-05-12", "ca", DAY),
        ("Erscheinungsdatum: 12.05.2026", "de", DAY),
        ("12.5.26", "de", DAY),
        ("Date de publication : 12/05/2026", "fr", DAY),
        ("Data di pubblicazione: 12/05/2026", "it", DAY),
        ("Fecha de lanzamiento: 12-05-26", "es", DAY),
        ("Data de lançamento: 12-05-2026", "br", DAY),
        ("配信日: 2026/05/12", "jp", DAY),
        ("2026年5月12日", "jp", DAY),
        ("２０２６／０５／１２", "jp", DAY),  # noqa: RUF001
        ("26/05/12", "jp", DAY),
        ("12 de mayo de 2026", "es", DAY),
        ("May 12, 2026", "us", DAY),
        ("12. Mai 2026", "de", DAY),
        ("12 maggio 2026", "it", DAY),
        ("12 de maio de 2026", "br", DAY),
        ("1er août 2026", "fr", dt.date(2026, 8, 1)),
        ("3. März 2026", "de", dt.date(2026, 3, 3)),
        ("3 Mrz 2026", "de", dt.date(2026, 3, 3)),
        ("Mar 3, 2026", "us", dt.date(2026, 3, 3)),
        # days of the week that begin like a month
        ("martes, 12 de mayo de 2026", "es", DAY),
        ("mardi 12 mai 2026", "fr", DAY),
        ("mar. 12 mai 2026", "fr", DAY),
        ("martedì 12 maggio 2026", "it", DAY),
        ("2026-05-12T07:00:00Z", "us", DAY),
        # only the other order makes a day
        ("05-21-26", "uk", dt.date(2026, 5, 21)),
        ("21-05-26", "us", dt.date(2026, 5, 21)),
        # two digits reach from 1970 to 2069
        ("12-31-69", "us", dt.date(2069, 12, 31)),
        ("12-31-70", "us", dt.date(1970, 12, 31)),
        ("10-20-00", "us", dt.date(2000, 10, 20)),
    ],
)
def test_days(text: str, marketplace: str, day: dt.date) -> None:
    assert parse_date(text, marketplace) == day


@pytest.mark.parametrize(
    "text",
    ["2200-01-01", "01-01-2200", "01/01/2100", "01-01-00", "31-02-26", "32-13-26", "0-0-00",
     "soon", "", "May", "2026", "May 2026", "1-2-3-4", "12-05-999", "9" * 5000],
)  # fmt: skip
def test_no_day(text: str) -> None:
    """Among them what stands for "unknown": year 2100 and later, and 2200 cut to two digits."""
    assert parse_date(text, "uk") is None


@pytest.mark.parametrize(
    ("said", "minutes"),
    [
        ("Length: 62 hrs and 48 mins", 3768),
        ("1 hr and 1 min", 61),
        ("20 hrs", 1200),
        ("12 mins", 12),
        ("Spieldauer: 13 Std. und 5 Min.", 785),
        ("7 Stunden 1 Minute", 421),
        ("Duración: 3 horas y 42 mins", 222),
        ("10 h y 3 min", 603),
        ("Durée : 9 h et 3 min", 543),
        ("1 heure et 2 minutes", 62),
        ("Durata: 9 ore e 56 min", 596),
        ("1 ora e 1 min", 61),
        ("Duração: 12 horas e 30 minutos", 750),
        ("再生時間: 9 時間 56 分", 596),
        ("56分", 56),
        ("9h 3m", 543),
        ("9h3m", 543),
        ("9h03", 543),
        ("9 h 03", 543),
        ("PT62H48M", 3768),
        ("PT45M", 45),
        ("P1DT2H", 1560),
        ("Less than 1 minute", 1),
        ("Weniger als 1 Minute", 1),
        ("Moins d'une minute", 1),
        ("1分未満", 1),
        (596, 596),
        (596.0, 596),
    ],
)
def test_lengths(said: object, minutes: int) -> None:
    assert parse_minutes(said) == minutes


@pytest.mark.parametrize(
    "said",
    ["9.5 hours", "1,234 hrs", "", "PT", "0 hrs", "long", None, [], True, 0, -5, 1e300, "9" * 99],
)
def test_no_length(said: object) -> None:
    assert parse_minutes(said) is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Book 1", "1"),
        (", Book 0.5", "0.5"),
        ("Book .5", ".5"),
        (", libro 3", "3"),
        ("Livro 3", "3"),
        ("Titel 4", "4"),
        ("Band 12", "12"),
        ("Tome 2", "2"),
        ("Vol. 7", "7"),
        ("第3巻", "3"),
        ("3巻", "3"),
        ("Books 1-3", "1-3"),
        ("Book 1-3.5", "1-3.5"),
        ("Titel 1\N{EN DASH}3", "1-3"),
        ("Buch 2,5", "2.5"),
        ("Book 4, Dramatized Adaptation", "4, Dramatized Adaptation"),
        ("4, Dramatized Adaptation", "4, Dramatized Adaptation"),
        ("ファーストシーズン : 1", "ファーストシーズン : 1"),
        ("Bookish 1", "Bookish 1"),
        ("Titolo 3", "3"),
        ("Título 3", "3"),
        ("N.º 3", "3"),
        ("Bände 1-3", "1-3"),
        ("(Book 3)", "3"),
        (" (", None),
        (") ; ", None),
        ("Book 3 (Part 1)", "3 (Part 1)"),
        (" , ", None),
        ("", None),
        (None, None),
    ],
)
def test_places_in_a_series(text: str | None, place: str | None) -> None:
    assert sequence_in(text) == place


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Unabridged Audiobook", "unabridged"),
        ("Abridged", "abridged"),
        ("Original Recording Audiobook", "original_recording"),
        ("Ungekürztes Hörbuch", "unabridged"),
        ("Gekürztes Hörbuch", "abridged"),
        ("Originalaufnahme", "original_recording"),
        ("Version intégrale", "unabridged"),
        ("Version abrégée", "abridged"),
        ("Versión íntegra", "unabridged"),
        ("Versión resumida", "abridged"),
        ("Versione integrale", "unabridged"),
        ("Versione ridotta", "abridged"),
        ("Versão integral", "unabridged"),
        ("Gravação original", "original_recording"),
        ("完全版", "unabridged"),
        ("短縮版", "abridged"),
        ("Audiobook", None),
        (None, None),
    ],
)
def test_forms(text: str | None, form: str | None) -> None:
    assert format_in(text) == form


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("1 - 20 of over 2,000 results", 2000),
        ("1 - 50 de 113 resultados", 113),
        ("21 - 40 von 1.234 Ergebnissen", 1234),
        ("1 - 20 sur 1\u202f234 résultats", 1234),
        ("検索結果 164 のうち 1 - 20 件", 164),
        ("検索結果 1 件", 1),
        ("4 books in series", 4),
        ("No results", None),
        ("9" * 4000, None),
    ],
)
def test_totals(text: str, total: int | None) -> None:
    assert count_in(text) == total


def test_names_without_links() -> None:
    assert names_in("Narrated by: full cast, Ada Lund, and others") == [
        "full cast", "Ada Lund", "and others",
    ]  # fmt: skip
    assert names_in("By: Sam Lee, Jr., Ib Falk") == ["Sam Lee, Jr.", "Ib Falk"]
    assert names_in("著者: 田中 花子、山田 太郎") == ["田中 花子", "山田 太郎"]
    assert without_label("Langue : Français") == "Français"
    assert without_label("Español (Castellano)") == "Español (Castellano)"


def test_addresses() -> None:
    assert product_asin("/pd/Holly-Audiobook/B0BSY3PTSV?ref=a_search") == "B0BSY3PTSV"
    assert product_asin("https://www.audible.de/pd/B0BSY3PTSV") == "B0BSY3PTSV"
    assert product_asin("/us/pd/ABCDEFGHIJ/164880571X") == "164880571X"
    assert product_asin("/pd/Mysteries-Thrillers/Holly-Audiobook/B0BSY3PTSV") == "B0BSY3PTSV"
    assert product_asin("/podcast/series/Holly/B0BSY3PTSV") is None
    assert product_asin("/pd/Holly-Audiobook") is None
    assert author_asin("/author/Luis-Garc%C3%ADa-Rey/B0BPHSF59B?ref=x") == "B0BPHSF59B"
    assert author_asin("/author/B001IGFHW6") == "B001IGFHW6"
    assert author_asin("/search?searchAuthor=Ada+Lund") is None
    assert series_asin("/series/Hilda-Audiobooks/B09XVJ7ZSV") == "B09XVJ7ZSV"
    assert series_asin("https://www.audible.com/series?ref=x&asin=B09XVJ7ZSV") == "B09XVJ7ZSV"
    assert series_asin("/pd/Hilda-Audiobooks/B09XVJ7ZSV") is None
    assert (
        category_id("/cat/Literature-Fiction/Classics-Audiobooks/18574449011?x=1") == "18574449011"
    )
    assert category_id("https://www.audible.com/") is None
    assert product_asin("http://[") is None
    assert is_podcast("/pd/Moriarty-Podcast/B0B2DZBVRR")
    assert is_podcast("/podcast/Moriarty/B0B2DZBVRR")
    assert not is_podcast("/pd/The-Podcast-Murders-Audiobook/B0B2DZBVRR")


@pytest.mark.parametrize(
    ("address", "title"),
    [
        ("/series/City-of-Glass-Audiobooks/B09XVJ7ZSV?ref=x", "City of Glass"),
        ("/series/Die-Glasflut-Hoerbuecher/B09XVJ7ZSV", "Die Glasflut"),
        ("/series/La-Maree-Livres-Audio/B09XVJ7ZSV", "La Maree"),
        ("/series/La-Marea-Audiolibri/B09XVJ7ZSV", "La Marea"),
        ("/series/La-Marea-Audiolibros/B09XVJ7ZSV", "La Marea"),
        ("/series/A-Mare-Audiolivros/B09XVJ7ZSV", "A Mare"),
        ("/series/%E6%BD%AE-%E3%82%AA%E3%83%BC%E3%83%87%E3%82%A3%E3%82%AA%E3%83%96%E3%83%83%E3%82%AF"
         "/B09XVJ7ZSV", "潮"),
        ("/series/Audiobooks/B09XVJ7ZSV", "Audiobooks"),
        ("/series/B09XVJ7ZSV", ""),
        ("/pd/City-of-Glass-Audiobook/B09XVJ7ZSV", ""),
        (None, ""),
    ],
)  # fmt: skip
def test_the_address_of_a_series_says_the_words_of_its_title(
    address: str | None, title: str
) -> None:
    assert series_title(address) == title


@given(st.text(max_size=60), st.sampled_from(sorted(MARKETPLACES)))
def test_no_text_is_too_odd(text: str, marketplace: str) -> None:
    day = parse_date(text, marketplace)
    assert day is None or day.year < 2100
    assert (parse_minutes(text) or 1) > 0
    assert sequence_in(text) != ""
    assert format_in(text) in (None, "unabridged", "abridged", "original_recording")
    assert (count_in(text) or 0) >= 0
    assert all(names_in(text))


@given(st.dates(dt.date(1995, 1, 1), dt.date(2069, 12, 31)))
def test_every_day_is_read_in_the_order_of_its_site(day: dt.date) -> None:
    orders = {"us": "%m-%d-%y", "uk": "%d-%m-%y", "de": "%d.%m.%Y", "au": "%d-%m-%Y"}
    for marketplace, order in (*orders.items(), ("jp", "%Y/%m/%d"), ("ca", "%Y-%m-%d")):
        said = day.strftime(order)
        expected = None if said == "01-01-00" else day
        assert parse_date(said, marketplace) == expected

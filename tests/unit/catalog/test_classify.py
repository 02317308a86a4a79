from typing import Any

import pytest

from catalog.classify import HIDDEN_BY_DEFAULT, HIDEABLE, KINDS, VOICES, Classification, classify
from catalog.listing import CreditLine, Listing, SeriesPlace


def title(text: str | None = "Glass Tide", subtitle: str | None = None, **facts: Any) -> Listing:
    """A listing of this title, otherwise as bare as a listing can be."""
    return Listing(
        "us", "B000TIDE01", "https://store.example", title=text, subtitle=subtitle, **facts
    )


def read_by(*names: str) -> tuple[CreditLine, ...]:
    return tuple(CreditLine(name, None, "narrator") for name in names)


def placed(*sequences: str) -> tuple[SeriesPlace, ...]:
    return tuple(SeriesPlace(None, "Tides", sequence) for sequence in sequences)


PARTS = [
    "Glass Tide (Part 1 of 3)",
    "Glass Tide (1 of 5) [Dramatized Adaptation]",
    "Glass Tide 2 of 2",
    "Glass Tide [Part 2]",
    "Glass Tide, Part Two of Three",
    "Glass Tide (Part II of II)",
    "Glass Tide (Part 2 of a 3-Part Recording)",
    "Glass Tide: Volume 1, Part 2",
    "The Tides Book Three, Part One",
    "Die Glasflut (Teil 1 von 2)",
    "Ein Jahr am Meer - 8. Woche (Teil 8/52)",
    "La marée de verre - Partie 2",
    "La marée de verre. Deuxième partie",
    "La marée de verre - 2e partie",
    "La marea de cristal (1ª parte)",
    "Glastijd (Deel 1 van 2)",
    "Glastid (Del 1 av 2)",
    "Glass Tide, Part 1/2",
    "La marea de cristal, Parte 1",
    "La marea de cristal - Segunda parte",
    "La marea di vetro - Prima parte",
    "La marea di vetro (Parte seconda)",
    "A maré de vidro - Parte 03",
    "Alas de cristal nº 02/02",
    "Szklana fala cz. 2",
    "Стеклянный прилив. Часть 1",
    "硝子の潮 上",
    "硝子の潮\uff08下\uff09",
    "硝子の潮 【上巻】",
    "硝子の潮 後編",
    "硝子の潮 第1巻 上",
]
NO_PARTS = [
    "Part of Your World",
    "The Fourth Part of the World",
    "All the Better Part of Me",
    "Promises, Part 3",
    "Dune: Part Two",
    "Henry IV, Part 1",
    "Glass Tide, Book One",
    "The Two Towers: Part 2 of The Lord of the Rings",
    "Harry Potter and the Cursed Child, Parts One and Two",
    "Tides, Book 1 of 3",
    "Tides #1 of 3",
    "The Tides Trilogy, Part 1 of 3",
    "Glass Tide: The Tides Trilogy 1 of 3",
    "One of Us",
    "The 100 of 2020",
    "50/50",
    "The 80/20 Principle",
    "Spotlight Audio - Travel. 12/2021",
    "La segunda parte de mi vida",
    "Zurückhaltung ist der bessere Teil von Tapferkeit",
    "第631回 新刊ラジオ第2部プレミアム",
    "中編小説集",
    "上海の夜",
    "硝子の潮 上下巻",
    "Apartment 3 of 9 Lives Road",
]
OMNIBUSES = [
    "Tides Omnibus",
    "Tides, Books 1-3",
    "Tides: Books 1 \u2013 3",
    "Tides Books 1 Through 3",
    "Tides, Books 4, 5 & 6",
    "Tides: Volumes I and II",
    "Tides: Volume 1 & Volume 2",
    "Drei Romane in einem Band",
    "Gezeiten (Teil 1-3)",
    "硝子の潮 1巻〜3巻",
    "Tides Bundle, Books 0.5-3",
    "Geronimo Sand #11 & #12",
    "Tides Box Set",
    "Tides Boxed Set",
    "The Tides Boxset: Sea Romance",
    "Tides: The Complete Series",
    "Tides: The Complete Trilogy",
    "The Glass Tide Trilogy",
    "The Foundation Trilogy (Dramatized)",
    "The Entire Tides Saga",
    "Tides: Publisher's Pack 2",
    "Shatter Me 3-Book Set 1",
    "Shift: Five Complete Novellas",
    "Self Mastery: 12 Book Mega Bundle",
    "Healing: 3 in 1 Bundle",
    "Ada Lund - The Complete Novels",
    "The Complete Works of Ada Lund",
    "Gezeiten. Sammelband",
    "Gezeiten: Die komplette Trilogie",
    "Gezeiten - Gesamtausgabe",
    "Gezeiten (Folge 1-3)",
    "Gezeiten, Band 1 bis 3",
    "Les marées. L'intégrale",
    "Les marées. La série complète",
    "Les marées, tomes 1 à 3",
    "Mareas. Trilogía completa",
    "Mareas, libros 1 y 2",
    "Maree. Serie completa",
    "硝子の潮【合本版】",
    "硝子の潮 1-3巻セット",
]
NO_OMNIBUSES = [
    "Tides, Book 3",
    "Glass Tide: The Breathless Trilogy, Book 2",
    "Glass Tide: Volume 7",
    "The Stories of Ada Lund: A Collection",
    "Arcanum: The Tides Collection",
    "The Complete Stories of Ada Lund, Vol. 1",
    "The Complete Guide to Fasting",
    "The Case of the Burgled Bundle",
    "Via col vento. Edizione integrale",
    "Dalla parte di Swann (versione integrale)",
    "L'Assommoir (version intégrale)",
    "Learn German - Volume 1: Lessons 1-25",
    "The Land: A LitRPG Saga",
    "Catch-22",
    "Book 1, 2nd Edition",
    "Short Story Collection",
    "Spoon River Anthology",
    "Ages 5-8: Bedtime Tales",
    "9-11",
    "The Complete Stories and Poems Collection",
]
PLAYS = [
    "Glass Tide [Dramatized Adaptation]",
    "Glass Tide (Dramatised)",
    "Glass Tide: A BBC Radio 4 Full-Cast Dramatisation",
    "Glass Tide (Full-Cast Edition)",
    "Glass Tide: A Black Book Audio Drama",
    "Glass Tide: The Full Cast Audioplay",
    "Miss Lund's Final Cases: Three BBC Radio 4 dramas",
    "Die Glasflut - Das Hörspiel",
    "Folge 12: Die Glasflut (Original-Hörspiel)",
    "La marea (Dramatizado)",
    "La marea: una ficción sonora",
    "硝子の潮 オーディオドラマ",
    "ドラマCD 硝子の潮",
    "玻璃潮 广播剧",
]
NO_PLAYS = [
    "The Dramatic Decade",
    "Radio Shangri-La",
    "Power Play",
    "Über epische und dramatische Dichtung",
    "Charles Dickens: A BBC Biography",
    "Das Hörbuch der Bücher",
    "Podcast Secrets",
    "The Drama of the Gifted Child",
]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *((text, "part") for text in PARTS),
        *((text, "omnibus") for text in OMNIBUSES),
        *((text, "dramatised") for text in PLAYS),
        ("Glass Tide (Abridged)", "abridged"),
        ("Glass Tide, Abridged Edition", "abridged"),
        ("Die Glasflut (gekürzte Lesung)", "abridged"),
        ("Glass Tide (Unabridged)", "single"),
        ("Die Glasflut (Ungekürzte Lesung)", "single"),
        ("Abridged Classics", "single"),
    ],
)
def test_titles_say_what_they_are(text: str, kind: str) -> None:
    assert classify(title(text)).kind == kind


@pytest.mark.parametrize("text", [*NO_PARTS, *NO_OMNIBUSES, *NO_PLAYS])
def test_it_reads_nothing_into_a_title(text: str) -> None:
    """A book hidden for its name is a book missed: proves the guard `_COUNTS_VOLUMES`, and others."""
    language = "italian" if "ntegrale" in text else None
    assert classify(title(text, language=language)).kind == "single"


@pytest.mark.parametrize(
    ("text", "subtitle", "sequences", "kind"),
    [
        # its number is its place in the series: a volume
        ("Promises, Part 3", None, ["3"], "single"),
        ("Promises [Part 3]", None, ["3"], "single"),
        ("Promesses, Partie 3", None, ["3"], "single"),
        ("Die Flut, Teil 3", None, ["3"], "single"),
        # it is not, and still each of them is a book with a place of its own
        ("Sixth Realm Part 1", "The Ten Realms, Book 6", ["6"], "single"),
        ("Captain Underpants and the Booger Boy, Part 2", None, ["7"], "single"),
        ("Ascendance of a Bookworm: Part 3, Volume 2", None, ["9"], "single"),
        ("Sixth Realm (Part 1 of 2)", None, ["6"], "part"),
        ("Sixth Realm [Part 1]", None, ["6"], "part"),
        ("Glass Tide", None, ["1-3"], "omnibus"),
        ("Glass Tide", None, ["1-3.5"], "omnibus"),
        ("Glass Tide", None, ["Book 1\u20133"], "omnibus"),
        ("Glass Tide", None, ["1 & 2"], "omnibus"),
        ("Glass Tide", None, ["1, 2, 3"], "omnibus"),
        ("Glass Tide", None, ["1 bis 3"], "omnibus"),
        ("Glass Tide", None, ["2", "1-3"], "omnibus"),
        ("Glass Tide", None, ["0.5"], "single"),
        ("Glass Tide", None, ["1,5"], "single"),
        ("Glass Tide", None, ["3-1"], "single"),
        ("Glass Tide", None, ["Book 1"], "single"),
        ("Glass Tide", None, ["ファーストシーズン : 1"], "single"),
        ("Glass Tide", None, ["4, Dramatized Adaptation"], "dramatised"),
        ("The Glass Tide Trilogy", None, ["1"], "single"),
        ("Glass Tide", "Tides, Books 1-3", [], "omnibus"),
        ("Glass Tide", "The Tides Trilogy", [], "single"),
        ("Glass Tide", "Kincaid Pack Series, Book 3", [], "single"),
    ],
)
def test_places_in_series_tell_parts_from_volumes(
    text: str, subtitle: str | None, sequences: list[str], kind: str
) -> None:
    assert classify(title(text, subtitle, series=placed(*sequences))).kind == kind


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"delivery_type": "MultiPartBook", "content_type": "Product"}, "single"),
        ({"delivery_type": "SinglePartBook", "content_type": "Podcast"}, "podcast"),
        ({"delivery_type": "PodcastParent"}, "podcast"),
        ({"delivery_type": "PodcastSeason"}, "podcast"),
        ({"delivery_type": "PodcastEpisode"}, "podcast"),
        ({"delivery_type": "Periodical"}, "podcast"),
        ({"content_type": "Newspaper / Magazine"}, "podcast"),
        ({"delivery_type": "AudioPart"}, "part"),
        ({"content_type": "Show"}, "dramatised"),
        ({"content_type": "Radio/TV Program"}, "dramatised"),
        ({"content_type": "Lecture"}, "lecture"),
        ({"content_type": "Speech"}, "lecture"),
        ({"publisher": "The Great Courses"}, "lecture"),
        ({"content_type": "Performance"}, "performance"),
        ({"content_type": "Meditation"}, "single"),
        ({"publisher": "GraphicAudio"}, "dramatised"),
        ({"format_type": "abridged"}, "abridged"),
        ({"format_type": "unabridged"}, "single"),
        ({"format_type": "original_recording"}, "single"),
        ({"delivery_type": "BookSeries"}, "series_placeholder"),
        ({"sku": "SE_RIES_013041"}, "series_placeholder"),
        ({"sku": "PL_HLDR_155800DE"}, "series_placeholder"),
        ({"publisher": "ZZZ - Series Advisor Placeholder"}, "series_placeholder"),
        ({"publisher": "ZZZ Books"}, "single"),
        ({"undated": True}, "series_placeholder"),
        ({"undated": True, "runtime_minutes": 611}, "single"),
        ({"undated": True, "credits": read_by("Bo Ek")}, "single"),
        ({"raw": {"release_date": None}}, "single"),
    ],
    ids=str,
)
def test_the_stores_fields_say_what_it_is(facts: dict[str, Any], kind: str) -> None:
    assert classify(title(**facts)).kind == kind


@pytest.mark.parametrize(
    ("names", "voice"),
    [
        (["Bo Ek"], "human"),
        (["Ai Hara"], "human"),
        (["Ki Hong"], "human"),
        (["Virtual Voice"], "ai"),
        (["Voz virtual"], "ai"),
        (["Virtuelle Stimme"], "ai"),
        (["Voix virtuelle"], "ai"),
        (["Voce virtuale"], "ai"),
        (["バーチャルボイス"], "ai"),
        (["Voz sintética"], "ai"),
        (["Bo Ek's voice replica"], "ai"),
        (["Bo Ek - voice replica"], "ai"),
        (["Bo Ek (Authorized Voice Replica)"], "ai"),
        (["Mar Ek (Réplica de voz autorizada)"], "ai"),
        (["Santiago (Voz de IA)"], "ai"),
        (["Elise (AI)"], "ai"),
        (["AI Voice Nina"], "ai"),
        (["Madison (digital voice)"], "ai"),
        (["ElevenLabs"], "ai"),
        (["KI-Stimme"], "ai"),
        (["Bo Ek (Skyboat Media)"], "human"),
        (["The Captain's Voice"], "human"),
        (["Tom Watts"], "human"),
        (["full cast"], "full_cast"),
        (["A Full Cast", "Bo Ek"], "full_cast"),
        (["div."], "full_cast"),
        (["diverse Sprecher"], "full_cast"),
        (["Elenco completo"], "full_cast"),
        (["Divers narrateurs"], "full_cast"),
        (["Narratori vari"], "full_cast"),
        (["Adrian Cast"], "human"),
        (["uncredited"], "unknown"),
        (["anonymous"], "unknown"),
        (["N. N."], "unknown"),
        (["To be announced"], "unknown"),
        (["Narratore sconosciuto"], "unknown"),
        (["uncredited", "Bo Ek"], "human"),
        ([], "unknown"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, list) else value,
)
def test_voices_go_by_credit(names: list[str], voice: str) -> None:
    assert classify(title(credits=read_by(*names))).voice == voice


def test_a_title_may_name_its_cast() -> None:
    assert classify(title("Glass Tide (Full-Cast Edition)", credits=read_by("Bo Ek"))).voice == (
        "full_cast"
    )


def test_only_narrators_have_voices() -> None:
    writers = (CreditLine("Virtual Voice", None, "author"),)
    assert classify(title(credits=writers)).voice == "unknown"


def test_all_that_holds_is_a_trait() -> None:
    machine = read_by("Virtual Voice")
    played = title("Glass Tide (1 of 3) [Dramatized Adaptation]", credits=machine)
    assert classify(played) == Classification("part", "ai", ("ai_voice", "dramatised", "part"))
    cut = title("Tides Box Set", format_type="abridged")
    assert classify(cut) == Classification("omnibus", "unknown", ("abridged", "omnibus"))


def test_a_whole_series_is_nothing_to_hide_by_kind() -> None:
    assert classify(title(delivery_type="BookSeries")).traits == ()


def test_series_of_plays_make_plays() -> None:
    series = (SeriesPlace("B0000TIDES", "Tides (Full-Cast Editions)", "3"),)
    assert classify(title(series=series)).kind == "dramatised"


def test_the_first_kind_that_holds_is_the_kind() -> None:
    everything = title("Tides, Part 1 of 2: Books 1-3 (Dramatized) (Abridged)")
    assert classify(everything).kind == "part"
    assert classify(title("Tides, Books 1-3 (Dramatized)")).kind == "omnibus"
    assert classify(title("Tides, Part 1 of 2", content_type="Podcast")).kind == "podcast"


def test_what_watches_hide_are_words_of_this_list() -> None:
    assert set(HIDDEN_BY_DEFAULT) < set(HIDEABLE)
    assert {*HIDEABLE} - {"ai_voice", "reissue"} < {*KINDS}
    assert "ai" in VOICES


def test_nothing_known_is_single_and_unknown() -> None:
    assert classify(title(None)) == Classification("single", "unknown", ())


@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", ["(" * 50_000, "[part " * 10_000, "bbc " * 20_000])
def test_no_title_is_slow_to_read(text: str) -> None:
    """Proves the guard `_LONGEST` in title_words.py: without it these take a minute and more."""
    assert classify(title(text, text, series=placed(text))).kind == "single"

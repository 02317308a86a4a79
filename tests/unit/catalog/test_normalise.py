from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.normalise import clean, fold, sequence_position, words


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Ångström's   Süßer—Traum!", "angstrom s susser traum"),
        ("O'Néill, J.K.", "o neill j k"),
        ("JØRN ŁUKASZ Æbler", "jorn lukasz aebler"),
        ("İstanbul \u0131s\u0131", "istanbul isi"),
        ("ﬁne Ⅳ \uff12", "fine iv 2"),
        ("S\u0323o\u0323pe\u0323\u0301", "sope"),
        ("Ёлка", "елка"),
        ("ガンダム・ｶﾞ", "ガンダム ガ"),
        ("हिन्दी", "हिन्दी"),
        ("Bran\u200bdon\ufeff", "brandon"),
        ("a_b-c/d", "a b c d"),
        ("?!…", ""),
        ("", ""),
    ],
)
def test_it_folds(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_it_keeps_what_tells_kana_apart() -> None:
    assert fold("ハ") != fold("バ")
    assert fold("バ") != fold("パ")


@given(st.text())
@example("\u1e9e\u0345\u0131\u0307")
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_case_and_outer_blanks_never_matter(text: str) -> None:
    assert fold(f"  {text} ") == fold(text)
    assert fold(text.casefold()) == fold(text)


@given(st.text())
def test_words_are_those_of_the_folded_text(text: str) -> None:
    assert words(fold(text)) == words(text)
    assert set("".join(words(text))) == set(fold(text).replace(" ", ""))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Glass Tide", ["the", "glass", "tide"]),
        ("転生王女の物語", ["転生", "生王", "王女", "女の", "の物", "物語"]),
        ("第2巻 スピード!", ["第", "2", "巻", "スピ", "ピー", "ード"]),
        ("佐々木", ["佐々", "々木"]),
        ("鬼 oni", ["鬼", "oni"]),
        ("한국어 소설", ["한국어", "소설"]),
        ("", []),
    ],
)
def test_it_splits_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("sequence", "position"),
    [
        ("1", "1"),
        ("0", "0"),
        ("0.5", "0.5"),
        (".5", "0.5"),
        ("1-3", "1"),
        ("1-3.5", "1"),
        ("4, Dramatized Adaptation", "4"),
        ("Book 12", "12"),
        ("ファーストシーズン : 1", "1"),
        ("第\uff13巻", "3"),
        ("999999.9999", "999999.999"),
        ("1000000", None),
        ("2.0009", "2"),
        ("", None),
        ("Prequel", None),
        ("9" * 400, None),
    ],
)
def test_it_finds_the_place_in_a_series(sequence: str, position: str | None) -> None:
    assert sequence_position(sequence) == (None if position is None else Decimal(position))


@given(st.text())
def test_any_sequence_gives_a_storable_position_or_none(text: str) -> None:
    position = sequence_position(text)
    assert position is None or 0 <= position < 1_000_000


@given(st.text(alphabet=st.characters()) | st.text(alphabet="\x00\ud800\udfffa \u00ad\n"))
def test_cleaned_text_can_be_stored(text: str) -> None:
    cleaned = clean(text)
    assert "\x00" not in cleaned
    cleaned.encode()
    assert clean(cleaned) == cleaned


def test_it_cleans_to_one_composed_line() -> None:
    assert clean(" Cafe\u0301\n\tNoir\u200b \x07") == "Café Noir"

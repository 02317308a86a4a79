import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.normalise import fold
from catalog.roles import FULL_CASTS, PSEUDO_NARRATORS, UNNAMED, is_ai_voice, split_role


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        ("Ada Lund", "author", ("Ada Lund", "author")),
        ("Ada Lund - translator", "author", ("Ada Lund", "translator")),
        ("Ada Lund - traduttore", "author", ("Ada Lund", "translator")),
        ("Ada Lund - traductor", "author", ("Ada Lund", "translator")),
        ("Ada Lund - Übersetzer", "author", ("Ada Lund", "translator")),
        ("Ada Lund - foreword", "author", ("Ada Lund", "foreword")),
        ("Ada Lund - Foreword by", "author", ("Ada Lund", "foreword")),
        ("Ada Lund - contributor", "author", ("Ada Lund", "contributor")),
        ("Ada Lund - Illustrator", "author", ("Ada Lund", "illustrator")),
        ("Ada Lund - editor", "author", ("Ada Lund", "editor")),
        ("Ada Lund - introduction", "narrator", ("Ada Lund", "introduction")),
        ("Ada Lund - Nachwort", "author", ("Ada Lund", "afterword")),
        ("Ada Lund - 翻訳", "author", ("Ada Lund", "translator")),
        ("Ada Lund - foreword - translator", "author", ("Ada Lund", "foreword")),
        ("Ada Lund - lighting", "author", ("Ada Lund", "contributor")),
        ("Ada Lund - Beleuchtung", "author", ("Ada Lund", "contributor")),
        (
            "Radio Nord - The Last Author Standing",
            "narrator",
            ("Radio Nord - The Last Author Standing", "narrator"),
        ),
        ("Radio Nord - Studio 4", "narrator", ("Radio Nord - Studio 4", "narrator")),
        ("Ada Lund-Übersetzer", "author", ("Ada Lund", "translator")),
        ("AdaLund-Übersetzer", "author", ("AdaLund", "translator")),
        ("Ada Lund \u2013 Übersetzer", "author", ("Ada Lund", "translator")),
        ("Ada Lund -- editor", "author", ("Ada Lund", "editor")),
        ("Ada Lund - Introduction M.D.", "author", ("Ada Lund", "introduction")),
        ("Ada Lund - author/editor", "author", ("Ada Lund", "author")),
        ("Ada Lund - editor and translator", "author", ("Ada Lund", "editor")),
        ("Ada Lund - traducător", "author", ("Ada Lund", "translator")),
        ("Ada Lund - översättare", "author", ("Ada Lund", "translator")),
        ("Ada Lund - prologue", "author", ("Ada Lund", "foreword")),
        ("Ada Lund - cover design", "author", ("Ada Lund", "illustrator")),
        ("Ada Lund - voice replica", "narrator", ("Ada Lund - voice replica", "narrator")),
        ("Ada Lund - AI voice", "narrator", ("Ada Lund - AI voice", "narrator")),
        ("Ada Lund - co-author", "author", ("Ada Lund", "author")),
        ("Ada Lund - Co-Editor", "author", ("Ada Lund", "editor")),
        ("Ada Lund - PhD", "author", ("Ada Lund - PhD", "author")),
        ("Ada Lund - Ph.D.", "author", ("Ada Lund - Ph.D.", "author")),
        ("Ada Lund - III", "narrator", ("Ada Lund - III", "narrator")),
        ("Ada Lund - réplique vocale", "narrator", ("Ada Lund - réplique vocale", "narrator")),
        ("Mia Berg-Falk", "author", ("Mia Berg-Falk", "author")),
        ("Mia Berg-Sprecher", "author", ("Mia Berg-Sprecher", "author")),
        ("- translator", "author", ("- translator", "author")),
    ],
)
def test_it_takes_the_role_off_the_name(text: str, default: str, expected: tuple[str, str]) -> None:
    assert split_role(text, default) == expected


def test_nobody_in_particular_is_known_by_a_folded_name() -> None:
    assert {"full cast", "div", "uncredited", "virtual voice", "n n"} <= PSEUDO_NARRATORS
    assert all(name == fold(name) != "" for name in PSEUDO_NARRATORS)
    assert not FULL_CASTS & UNNAMED


@given(st.text(), st.sampled_from(["author", "narrator"]))
def test_any_text_is_a_name(text: str, default: str) -> None:
    name, role = split_role(text, default)
    assert text.startswith(name) or name in text
    assert role
    assert is_ai_voice(text) in (True, False)


@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", [" " * 100_000, " -" * 50_000, "a - " * 50_000])
def test_no_name_is_slow_to_read(text: str) -> None:
    assert split_role(text, "author") == (text, "author")

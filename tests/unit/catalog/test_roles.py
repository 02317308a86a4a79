import pytest

from catalog.roles import split_role


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
        ("Mia Berg-Falk", "author", ("Mia Berg-Falk", "author")),
    ],
)
def test_it_takes_the_role_off_the_name(text: str, default: str, expected: tuple[str, str]) -> None:
    assert split_role(text, default) == expected

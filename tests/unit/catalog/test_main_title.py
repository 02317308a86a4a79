"""Titles without what their editions add."""

import pytest

from catalog.main_title import is_untitled, main_title


@pytest.mark.parametrize(
    ("title", "main", "number"),
    [
        ("Project Hail Mary", "project hail mary", ""),
        ("1984", "1984", ""),
        ("Catch-22", "catch 22", ""),
        ("Surprise, Kill, Vanish", "surprise kill vanish", ""),
        ("He Who Fights with Monsters 2", "he who fights with monsters 2", ""),
        # edition notes
        (
            "Harry Potter and the Goblet of Fire (Full-Cast Edition)",
            "harry potter and the goblet of fire",
            "",
        ),
        ("Fire & Blood (HBO Tie-in Edition)", "fire blood", ""),
        ("Le Sorcier [French Version]", "le sorcier", ""),
        ("Der Marsianer (Ungekürzt)", "der marsianer", ""),
        ("Dune (Deutsche Ausgabe)", "dune", ""),
        ("Foo (2nd Edition)", "foo", ""),
        ("ハリー・ポッター (日本語版)", "ハリー ポッター", ""),
        ("The Final Empire [Dramatized Adaptation]", "the final empire", ""),
        # a language alone may be what the book is about
        ("Phrases (German)", "phrases german", ""),
        # series tails
        ("Wind and Truth: The Stormlight Archive, Book 5", "wind and truth", "5"),
        ("Wind and Truth (The Stormlight Archive 5)", "wind and truth", "5"),
        (
            "Harry Potter and the Sorcerer's Stone, Book 1",
            "harry potter and the sorcerer s stone",
            "1",
        ),
        ("Ready - Book Two", "ready", "2"),
        ("Die Stadt (Band 4)", "die stadt", "4"),
        ("Foo (Bar, #2.50)", "foo", "2.5"),
        ("Saga: Book 2", "saga", "2"),
        # parts and ranges are other books
        ("Promises (Part 1 of 2)", "promises part 1 of 2", ""),
        ("Promises (1 of 3) [Dramatized Adaptation]", "promises 1 of 3", ""),
        ("Promises, Part 3", "promises part 3", ""),
        ("Saga (Books 1-3)", "saga books 1 3", ""),
        # nothing would be left
        ("(Unabridged)", "unabridged", ""),
    ],
)
def test_a_title_loses_what_editions_add_and_nothing_else(
    title: str, main: str, number: str
) -> None:
    assert main_title(title) == (main, number)


@pytest.mark.parametrize(
    "title",
    ["Untitled", "Untitled 3", "TBA", "Author Novel TBD", "Ohne Titel 2", "無題", ""],
)
def test_a_title_that_many_books_have_at_once_is_none(title: str) -> None:
    assert is_untitled(main_title(title)[0])


@pytest.mark.parametrize("title", ["The Tba Affair's End", "It", "The Book 3 Thieves", "S."])
def test_a_short_or_odd_title_is_a_title(title: str) -> None:
    assert not is_untitled(main_title(title)[0]) or "tba" in title.lower()

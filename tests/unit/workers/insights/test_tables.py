"""Reading tables of dates from the real world."""

import datetime as dt
from pathlib import Path

import pytest

from workers.insights import tables
from workers.insights.tables import (
    Table,
    TableError,
    audible_day_of,
    authors_of,
    day_of,
    read_table,
)

MAY = dt.date(2024, 5, 31)


def read(folder: Path, text: str | bytes) -> Table:
    path = folder / "record.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path)


@pytest.mark.parametrize(
    "text",
    [
        "entity,date\nSanderson,2024-05-31\n",
        "\ufeffentity,date\r\nSanderson,2024-05-31\r\n",
        ' Date ;x; Entity \n2024-05-31T09:00:00Z;"a;b"; Sanderson \n\n;;\n',
        "n\tentity\tdate\n3\tSanderson\t2024/5/31",
        b"entity,date\nSanderson,2024-05-31 00:00:00\n\xff\xfe,\n",
    ],
)
def test_columns_separators_and_spaces_may_be_anyones(tmp_path: Path, text: str | bytes) -> None:
    assert read(tmp_path, text).rows == [("Sanderson", MAY)]


def test_a_line_without_a_name_or_a_date_is_counted_and_left_out(tmp_path: Path) -> None:
    table = read(tmp_path, "entity,date\n,2024-05-31\nKing,\nKing\nSanderson,2024-05-31\n")
    assert (table.rows, table.blank) == ([("Sanderson", MAY)], 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "record.csv is empty: it needs the columns entity,date and rows."),
        ("name,when\nx,y\n", "needs the columns entity,date; its first line has: name, when."),
        ("entity,date\nx,2024-05-31\nx,soon\n", "line 3: 'soon' is not a date like 2024-05-31."),
        ("entity,date\nx,2023-02-29\n", "line 2: '2023-02-29' is no day of the calendar."),
        ("entity,date\nx,31/05/2024\n", "line 2: '31/05/2024' is not a date like 2024-05-31."),
        ("entity,date\nx," + "9" * 200_000, "line 2: not a CSV"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TableError) as error:
        read(tmp_path, text)
    assert said in str(error.value)


def test_a_missing_file_and_a_folder_are_said(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="There is no file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(TableError, match="cannot be read: Is a directory"):
        read_table(tmp_path)


def test_huge_tables_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves the guards of size: without either, the whole file is taken in."""
    text = "entity,date\n" + "x,2024-05-31\n" * 3
    monkeypatch.setattr(tables, "MOST_ROWS", 2)
    with pytest.raises(TableError, match="more than 2 rows"):
        read(tmp_path, text)
    monkeypatch.setattr(tables, "LARGEST_TABLE", 10)
    with pytest.raises(TableError, match="larger than 0 MB"):
        read(tmp_path, text)


def test_audibles_table_is_read_by_author_and_language(tmp_path: Path) -> None:
    head = "name,author,narrator,time,releasedate,language,stars,price\n"
    table = read(
        tmp_path,
        head
        + 'The Way,"Writtenby:BrandonSanderson,ShaneDevries-illustrator",x,1,04-08-08,English,5,1\n'
        + 'The way!,"Writtenby:BrandonSanderson",x,1,05-06-07,English,5,1\n'
        + 'Der Weg,"Writtenby:BrandonSanderson,KatKing",x,1,01-02-99,german,5,1\n',
    )
    assert sorted(table.rows) == [
        ("BrandonSanderson|english", dt.date(2007, 6, 5)),
        ("BrandonSanderson|german", dt.date(1999, 2, 1)),
        ("KatKing|german", dt.date(1999, 2, 1)),
    ]


def test_dates_and_credits_of_audibles_table() -> None:
    assert audible_day_of("31-05-24") == audible_day_of("31-05-2024") == MAY
    assert audible_day_of("2024-05-31") == day_of("2024-05-31 10:00") == MAY
    assert authors_of("Writtenby:Xavier-LaurentPetit, AnkeAlbrecht-Übersetzer,") == [
        "Xavier-LaurentPetit"
    ]

"""Tables of dates: who released something, and when. Reads files; decides nothing about them."""

import csv
import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final, Protocol, TextIO

LARGEST_TABLE: Final = 64 * 1024 * 1024
MOST_ROWS: Final = 250_000
LONGEST_NAME: Final = 500

Row = tuple[str, dt.date]


class Lines(Protocol):
    """What csv.reader gives."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...


# Who only helped with a book says nothing about when its author's next comes.
_HELPERS = (
    "adaptation|afterword|editor|foreword|illustrator|illustrations|introduction|translator"
    "|adapter|adattatore|traductor|traduttore|traducteur|übersetzer|bearbeiter|herausgeber|vorwort"
)
_HELPER = re.compile(rf"[-\u2013]\s*(?:{_HELPERS})\s*$", re.IGNORECASE)
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ].*)?")
_DAY_FIRST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{2}|\d{4})")


class TableError(Exception):
    """Says which table, which line of it, and what would do instead."""


@dataclass(slots=True)
class Table:
    """Its rows, and how many lines had no date or no name to them."""

    rows: list[Row] = field(default_factory=list)
    blank: int = 0


def read_table(path: Path) -> Table:
    """A CSV with the columns entity and date, or Audible's with author and releasedate."""
    try:
        if path.stat().st_size > LARGEST_TABLE:
            raise TableError(f"{path} is larger than {LARGEST_TABLE >> 20} MB: give a part of it.")
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            return _read(path.name, lines)
    except FileNotFoundError:
        raise TableError(f"There is no file {path}.") from None
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}.") from None


def day_of(text: str) -> dt.date:
    """A date as 2024-05-31, with or without a time after it. Raises ValueError."""
    if parts := _ISO.fullmatch(text):
        year, month, day = (int(part) for part in parts.groups())
        return _day(text, year, month, day)
    raise ValueError(f"{text[:40]!r} is not a date like 2024-05-31")


def audible_day_of(text: str) -> dt.date:
    """A date as Audible's table has it, 31-05-24, or as 2024-05-31. Raises ValueError."""
    parts = _DAY_FIRST.fullmatch(text)
    if parts is None:
        return day_of(text)
    day, month, year = (int(part) for part in parts.groups())
    # Audible began in 1995: what ends in 69 to 99 is from before 2000.
    century = 0 if year > 99 else 1900 if year >= 69 else 2000
    return _day(text, century + year, month, day)


def _day(text: str, year: int, month: int, day: int) -> dt.date:
    try:
        return dt.date(year, month, day)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no day of the calendar") from None


def authors_of(text: str) -> list[str]:
    """Each author of a credit line like "Writtenby:RickRiordan,ShaneDevries-illustrator"."""
    names = re.sub(r"^\s*written\s*by\s*:?", "", text, flags=re.IGNORECASE).split(",")
    return [name.strip() for name in names if name.strip() and not _HELPER.search(name)]


def _read(name: str, lines: TextIO) -> Table:
    sample = lines.readline()
    reader = csv.reader(chain([sample], lines), delimiter=max(",;\t", key=sample.count))
    try:
        columns = [column.strip().casefold() for column in next(reader, [])]
        return _collect(name, reader, _reading(name, columns))
    except csv.Error as error:
        raise TableError(f"{name}, line {reader.line_num}: not a CSV ({error}).") from None


# What one line says: whose release, of which title (empty where the table has none), when.
Entry = tuple[str, str, dt.date]
EntriesOf = Callable[[Sequence[str]], list[Entry]]


def _reading(name: str, columns: list[str]) -> EntriesOf:
    if {"entity", "date"} <= set(columns):
        return _plain(columns)
    if {"name", "author", "releasedate", "language"} <= set(columns):
        return _audible(columns)
    if not any(columns):
        raise TableError(f"{name} is empty: it needs the columns entity,date and rows.")
    found = ", ".join(columns)[:200]
    raise TableError(f"{name} needs the columns entity,date; its first line has: {found}.")


def _collect(name: str, reader: Lines, entries_of: EntriesOf) -> Table:
    table = Table()
    first: dict[tuple[str, str], dt.date] = {}
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        try:
            entries = entries_of(cells)
        except ValueError as error:
            raise TableError(f"{name}, line {reader.line_num}: {error}.") from None
        table.blank += not entries
        for entity, title, day in entries:
            if title:
                first[entity, title] = min(day, first.get((entity, title), day))
            else:
                table.rows.append((entity, day))
        if len(table.rows) + len(first) > MOST_ROWS:
            raise TableError(f"{name} has more than {MOST_ROWS:,} rows: give a part of it.")
    table.rows += [(entity, day) for (entity, _), day in first.items()]
    return table


def _plain(columns: list[str]) -> EntriesOf:
    entity, date = columns.index("entity"), columns.index("date")

    def entries_of(cells: Sequence[str]) -> list[Entry]:
        name, text = _cell(cells, entity), _cell(cells, date)
        return [(name, "", day_of(text))] if name and text else []

    return entries_of


def _audible(columns: list[str]) -> EntriesOf:
    """By author and language; of a title sold more than once its first date counts."""
    places = [columns.index(column) for column in ("name", "author", "releasedate", "language")]

    def entries_of(cells: Sequence[str]) -> list[Entry]:
        title, credit, date, language = (_cell(cells, place) for place in places)
        names = authors_of(credit)
        if not (date and names):
            return []
        day = audible_day_of(date)
        folded = re.sub(r"[\W_]+", "", title.casefold()) or title
        return [(f"{name}|{language.casefold()}", folded, day) for name in dict.fromkeys(names)]

    return entries_of


def _cell(cells: Sequence[str], index: int) -> str:
    return cells[index].strip()[:LONGEST_NAME] if index < len(cells) else ""

"""Questions about what exists: filters, and rows that hold all that is shown of an audiobook."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import JSONObject
from django_filters import (
    CharFilter,
    ChoiceFilter,
    DateFilter,
    Filter,
    FilterSet,
    IsoDateTimeFilter,
)
from django_filters import MultipleChoiceFilter as ChoicesFilter
from django_filters.fields import IsoDateTimeField
from drf_spectacular.utils import extend_schema_field

from catalog import marketplaces
from catalog.classify import KINDS
from catalog.models import Audiobook, Credit, SeriesEntry
from catalog.models.audiobook import AudiobookQuerySet
from catalog.normalise import KEY_MAX, name_key
from catalog.roles import ROLES
from catalog.search import nearness

TEXT_MAX: Final = 200
ID_MAX: Final = 2**63 - 1
# What a list may be ordered by; the last field tells equals apart.
ORDERINGS: Final = {
    "release_date": ("day", "id"),
    "-release_date": ("-day", "-id"),
    "title": ("sort_title", "id"),
    "rank": ("-rank", "-id"),
}
# Of an audiobook in a list; `people` and `series` come with it in the same statement.
COLUMNS: Final = (
    *("id", "work_id", "marketplace", "asin", "title", "subtitle", "release_date", "language"),
    *("publisher", "runtime_minutes", "format_type", "kind", "voice", "cover_url", "url"),
    *("summary", "first_seen_at", "out_at", "withdrawn_at", "people", "series"),
)
# Of one alone.
MORE_COLUMNS: Final = (
    *("genres", "traits", "isbn", "content_type", "delivery_type", "publication_at"),
    *("launched_at", "last_checked_at"),
)

Rows = AudiobookQuerySet
Record = dict[str, Any]
_forms: dict[type[FilterSet], type[forms.Form]] = {}


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": ID_MAX})
class IdFilter(Filter):
    """A number of ours."""

    field_class = forms.IntegerField

    def __init__(self, *names: str, **options: Any) -> None:
        super().__init__(*names, min_value=1, max_value=ID_MAX, **options)


@extend_schema_field(bool)
class YesFilter(Filter):
    """Yes or no, as JSON says it; anything else is a mistake, not a filter that is left out."""

    field_class = forms.TypedChoiceField

    def __init__(self, *names: str, **options: Any) -> None:
        choices = [("true", "true"), ("false", "false")]
        super().__init__(*names, choices=choices, coerce="true".__eq__, empty_value=None, **options)


class MomentField(IsoDateTimeField):
    """A moment as PostgreSQL can hold it, which knows no offset of 16 hours and more."""

    def clean(self, value: Any) -> dt.datetime | None:
        moment: dt.datetime | None = super().clean(value)
        try:
            return moment and moment.astimezone(dt.UTC)
        except OverflowError as error:
            raise forms.ValidationError(self.error_messages["invalid"]) from error


class MomentFilter(IsoDateTimeFilter):
    field_class = MomentField


class CatalogueFilter(FilterSet):
    """What every list of audiobooks can be asked."""

    marketplace = ChoicesFilter(choices=marketplaces.CHOICES, distinct=False)
    language = CharFilter(
        lookup_expr="iexact", max_length=TEXT_MAX, label="An English word: german, japanese …"
    )
    q = CharFilter(
        method="of_words",
        max_length=TEXT_MAX,
        label="Words, all of them in the title, the series or the names; the last may be the "
        "beginning of one.",
    )

    def of_words(self, rows: Rows, _name: str, text: str) -> Rows:
        return rows.search(text)

    def get_form_class(self) -> type[forms.Form]:
        """The same for all requests: to make it anew takes longer than all the rest."""
        kind = type(self)
        if kind not in _forms:
            _forms[kind] = super().get_form_class()
        return _forms[kind]


class AudiobookForm(forms.Form):
    """What only makes sense beside something else."""

    def clean(self) -> Record:
        asked: Record = self.cleaned_data
        if asked.get("ordering") == "rank" and not asked.get("q") and "q" not in self.errors:
            self.add_error("ordering", "Only the hits of a search have a rank; give q as well.")
        if asked.get("role") and not asked.get("person_id") and "person_id" not in self.errors:
            self.add_error("role", "This is the role of a person; give person_id as well.")
        return asked


class AudiobookFilter(CatalogueFilter):
    """Which audiobooks, of all there are."""

    release_after = DateFilter("day", "gte", label="Out on this day or later.")
    release_before = DateFilter(method="until", label="Out on this day or earlier.")
    person_id = IdFilter(method="of_person", label="A contributor's `id`, in any role.")
    role = ChoiceFilter(
        method="as_asked", choices=[(role, role) for role in ROLES], label="That person's role."
    )
    series_id = IdFilter(method="of_series", label="The `id` of a series.")
    publisher = CharFilter(
        method="of_publisher",
        max_length=TEXT_MAX,
        label="The whole name, whatever its case, accents and punctuation.",
    )
    genre = CharFilter(
        method="of_genre", max_length=KEY_MAX, label="A category's `id`, as `genres` has it."
    )
    kind = ChoicesFilter(choices=[(kind, kind) for kind in KINDS], distinct=False)
    ordering = ChoiceFilter(
        method="as_asked",
        choices=[(name, name) for name in ORDERINGS],
        label="Without it: `rank` of a search, else `-release_date`. Undated titles count as the "
        "oldest.",
    )

    class Meta:
        model = Audiobook
        fields: tuple[str, ...] = ()
        form = AudiobookForm

    def until(self, rows: Rows, _name: str, day: Any) -> Rows:
        return rows.filter(Q(day__lte=day), release_date__isnull=False)

    def of_words(self, rows: Rows, _name: str, text: str) -> Rows:
        return rows.search(text).annotate(rank=nearness(text))

    def of_person(self, rows: Rows, _name: str, person_id: int) -> Rows:
        credits = Credit.objects.filter(audiobook=OuterRef("pk"), contributor=person_id)
        role = self.form.cleaned_data.get("role")
        return rows.filter(Exists(credits.filter(role=role) if role else credits))

    def of_series(self, rows: Rows, _name: str, series_id: int) -> Rows:
        return rows.filter(
            Exists(SeriesEntry.objects.filter(audiobook=OuterRef("pk"), series=series_id))
        )

    def of_publisher(self, rows: Rows, _name: str, text: str) -> Rows:
        key = name_key(text)
        return rows.filter(match_keys__contains=[f"publisher~{key}"]) if key else rows.none()

    def of_genre(self, rows: Rows, _name: str, text: str) -> Rows:
        return rows.filter(match_keys__contains=[f"genre:{text}"])

    def as_asked(self, rows: Rows, _name: str, _value: str) -> Rows:
        """Said of something else, which heeds it."""
        return rows


def keyset(asked: Mapping[str, str]) -> tuple[str, str]:
    """What a query string orders audiobooks by; what can't be meant is refused elsewhere."""
    usual = "rank" if asked.get("q", "").strip() else "-release_date"
    return ORDERINGS.get(asked.get("ordering") or usual, ORDERINGS["-release_date"])


def records(rows: QuerySet[Audiobook], *more: str) -> Any:
    """`rows` as dictionaries of COLUMNS and `more`, each with its people and places.

    Always one statement: the database puts people and places together, for the rows of a page only.
    """
    people = Credit.objects.filter(audiobook=OuterRef("pk")).order_by("position", "id")
    places = SeriesEntry.objects.filter(audiobook=OuterRef("pk")).order_by("id")
    person = JSONObject(
        id="contributor_id", asin="contributor__asin", name="contributor__name", role="role"
    )
    place = JSONObject(
        id="series_id", asin="series__asin", title="series__title", sequence="sequence"
    )
    return rows.annotate(
        people=ArraySubquery(people.values(found=person)),
        series=ArraySubquery(places.values(found=place)),
        last_checked_at=F("check_row__last_checked_at"),
    ).values(*COLUMNS, *more)


def shown(record: Record) -> Record:
    """An audiobook as lists show it."""
    return {name: record[name] for name in COLUMNS} | {
        f"{role}s": [each["name"] for each in record["people"] if each["role"] == role]
        for role in ("author", "narrator")
    }


def shown_whole(record: Record) -> Record:
    """An audiobook with all that is known of it."""
    return (
        shown(record)
        | {name: record[name] for name in MORE_COLUMNS}
        | {"genres": [{"id": genre_id, "name": name} for genre_id, name in record["genres"]]}
    )

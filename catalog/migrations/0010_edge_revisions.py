"""A revision for each store, and triggers that note what changes what anybody may read."""

# ruff: noqa: S608 (names of ours)

from django.db import migrations, models

from catalog import marketplaces

# Columns that an answer for anybody shows or asks for. What is left out changes no such answer.
AUDIOBOOK = (
    *("marketplace", "asin", "title", "subtitle", "release_date", "language", "publisher"),
    *("runtime_minutes", "format_type", "cover_url", "url", "summary", "first_seen_at"),
    *("out_at", "withdrawn_at", "hidden_at", "search_vector"),
)
CREDIT = ("contributor_id", "role", "position")
PLACE = ("series_id", "sequence")
OF_AUDIOBOOK = "JOIN audiobooks a ON a.id = n.audiobook_id"


def noting(table: str, code: str, columns: tuple[str, ...], join: str = "") -> str:
    """Triggers that note the stores of rows that come, go, or change in these columns."""
    new, old = (", ".join(f"{row}.{name}" for name in columns) for row in ("n", "o"))
    whole = function(f"note_{table}", f"SELECT DISTINCT {code} FROM rows n {join}")
    changed = function(
        f"note_changed_{table}",
        f"SELECT DISTINCT {code} FROM rows n JOIN old_rows o USING (id) {join} "
        f"WHERE ({new}) IS DISTINCT FROM ({old})",
    )
    return f"""
    {whole}
    {changed}
    CREATE TRIGGER note_new AFTER INSERT ON {table} REFERENCING NEW TABLE AS rows
        FOR EACH STATEMENT EXECUTE FUNCTION note_{table}();
    CREATE TRIGGER note_gone AFTER DELETE ON {table} REFERENCING OLD TABLE AS rows
        FOR EACH STATEMENT EXECUTE FUNCTION note_{table}();
    CREATE TRIGGER note_changed AFTER UPDATE ON {table}
        REFERENCING OLD TABLE AS old_rows NEW TABLE AS rows
        FOR EACH STATEMENT EXECUTE FUNCTION note_changed_{table}();
    """


def renaming(table: str, columns: tuple[str, ...], codes: str) -> str:
    """A trigger that notes where what got another name is shown."""
    new, old = (", ".join(f"{row}.{name}" for name in columns) for row in ("NEW", "OLD"))
    return f"""
    {function(f"note_{table}", codes)}
    CREATE TRIGGER note_renamed AFTER UPDATE OF {", ".join(columns)} ON {table} FOR EACH ROW
        WHEN (({new}) IS DISTINCT FROM ({old})) EXECUTE FUNCTION note_{table}();
    """


def function(name: str, codes: str) -> str:
    return f"""
    CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO store_changes (marketplace, transaction)
        SELECT code, pg_current_xact_id()::text::bigint FROM ({codes}) AS noted (code)
        ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$;
    """


# Fan-out moves its mark in this table all the time: what it sets is not among these columns.
EVENTS = f"""
    {
    function(
        "note_release_events",
        "SELECT DISTINCT a.marketplace FROM rows n "
        f"{OF_AUDIOBOOK} WHERE n.held_by IS NULL AND n.kind <> 'reminder'",
    )
}
    {
    function(
        "note_changed_release_events",
        "SELECT marketplace FROM audiobooks WHERE id = NEW.audiobook_id",
    )
}
    CREATE TRIGGER note_new AFTER INSERT ON release_events REFERENCING NEW TABLE AS rows
        FOR EACH STATEMENT EXECUTE FUNCTION note_release_events();
    CREATE TRIGGER note_gone AFTER DELETE ON release_events REFERENCING OLD TABLE AS rows
        FOR EACH STATEMENT EXECUTE FUNCTION note_release_events();
    CREATE TRIGGER note_changed AFTER UPDATE OF kind, seen_at, held_by ON release_events
        FOR EACH ROW WHEN ((NEW.kind, NEW.seen_at, NEW.held_by)
                           IS DISTINCT FROM (OLD.kind, OLD.seen_at, OLD.held_by))
        EXECUTE FUNCTION note_changed_release_events();
"""
TABLES = {
    "audiobooks": noting("audiobooks", "n.marketplace", AUDIOBOOK),
    "credits": noting("credits", "a.marketplace", CREDIT, OF_AUDIOBOOK),
    "series_entries": noting("series_entries", "a.marketplace", PLACE, OF_AUDIOBOOK),
    "contributors": renaming(
        "contributors",
        ("name", "name_key"),
        "SELECT DISTINCT a.marketplace FROM credits n "
        f"{OF_AUDIOBOOK} WHERE n.contributor_id = NEW.id",
    ),
    "series": renaming(
        "series",
        ("asin", "title", "title_key"),
        "SELECT DISTINCT a.marketplace FROM series_entries n "
        f"{OF_AUDIOBOOK} WHERE n.series_id = NEW.id",
    ),
    "release_events": EVENTS,
}


def undoing(table: str) -> str:
    triggers = ("note_new", "note_gone", "note_changed", "note_renamed")
    drops = "".join(f"DROP TRIGGER IF EXISTS {name} ON {table};" for name in triggers)
    return f"""
    {drops}
    DROP FUNCTION IF EXISTS note_{table}();
    DROP FUNCTION IF EXISTS note_changed_{table}();
    """


class Migration(migrations.Migration):
    dependencies = [("catalog", "0009_writes_lists")]

    operations = [
        migrations.CreateModel(
            name="StoreRevision",
            fields=[
                (
                    "marketplace",
                    models.CharField(
                        choices=marketplaces.CHOICES,
                        db_collation="C",
                        max_length=2,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "revision",
                    models.BigIntegerField(
                        help_text="Microseconds since 1970, so that it never repeats."
                    ),
                ),
            ],
            options={"db_table": "store_revisions"},
        ),
        migrations.CreateModel(
            name="StoreChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("marketplace", models.CharField(db_collation="C", max_length=2)),
                ("transaction", models.BigIntegerField()),
            ],
            options={
                "db_table": "store_changes",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("marketplace", "transaction"), name="store_change_once"
                    )
                ],
            },
        ),
        *(migrations.RunSQL(sql, undoing(table)) for table, sql in TABLES.items()),
    ]

"""Calendars find withdrawn titles; a private feed of a watch ends with it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0005_reads"),
        ("accounts", "0002_feeds_tokens"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="audiobook",
            index=models.Index(
                condition=models.Q(("withdrawn_at", None), _negated=True),
                fields=["release_date"],
                name="audiobook_withdrawn",
            ),
        ),
        migrations.RunSQL(
            """
            ALTER TABLE feed_tokens ADD CONSTRAINT feed_token_of_watch_and_user
            FOREIGN KEY (watch_id, user_id) REFERENCES watches (id, user_id)
            ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
            """,
            "ALTER TABLE feed_tokens DROP CONSTRAINT feed_token_of_watch_and_user",
        ),
    ]

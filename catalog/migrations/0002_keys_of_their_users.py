"""A watch's keys carry its user, and only its user: the database sees to it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]

    operations = [
        migrations.RunSQL(
            """
            ALTER TABLE watch_keys ADD CONSTRAINT watch_keys_of_watch_and_user
            FOREIGN KEY (watch_id, user_id) REFERENCES watches (id, user_id)
            ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
            """,
            "ALTER TABLE watch_keys DROP CONSTRAINT watch_keys_of_watch_and_user",
        )
    ]

import django.db.models.deletion
from django.db import migrations, models

UP = """
ALTER TABLE deliveries ADD COLUMN destination_id bigint;
UPDATE deliveries d SET destination_id = c.destination_id FROM channels c WHERE c.id = d.channel_id;
ALTER TABLE deliveries ALTER COLUMN destination_id SET NOT NULL;
DROP INDEX delivery_pending;
CREATE INDEX delivery_pending ON deliveries (channel_kind, shard, destination_id, channel_id, due_at)
    WHERE state = 'pending' AND NOT in_digest
"""
DOWN = """
DROP INDEX delivery_pending;
CREATE INDEX delivery_pending ON deliveries (channel_kind, shard, channel_id, due_at)
    WHERE state = 'pending' AND NOT in_digest;
ALTER TABLE deliveries DROP COLUMN destination_id
"""
INDEX = models.Index(
    condition=models.Q(("in_digest", False), ("state", "pending")),
    fields=["channel_kind", "shard", "destination", "channel", "due_at"],
    name="delivery_pending",
)


class Migration(migrations.Migration):
    dependencies = [("notifications", "0002_when_and_where")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(UP, DOWN)],
            state_operations=[
                migrations.AddField(
                    model_name="delivery",
                    name="destination",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="notifications.destination",
                    ),
                    preserve_default=False,
                ),
                migrations.RemoveIndex(model_name="delivery", name="delivery_pending"),
                migrations.AddIndex(model_name="delivery", index=INDEX),
            ],
        ),
    ]

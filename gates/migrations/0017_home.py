"""What Home counts is read from indexes alone; and a person may put the set-up checklist away."""

from django.db import migrations, models

OPEN = models.Q(("state", "resolved"), _negated=True)


class Migration(migrations.Migration):
    dependencies = [("gates", "0016_alerts")]

    operations = [
        migrations.AddField(
            model_name="preference",
            name="setup_away",
            field=models.BooleanField(
                db_default=False, default=False, help_text="The set-up checklist of Home is put away"
            ),
        ),
        migrations.RemoveIndex(model_name="reviewitem", name="item_due"),
        migrations.AddIndex(
            model_name="reviewitem",
            index=models.Index(
                condition=OPEN,
                fields=["due_at", "id"],
                include=["created_at", "paused_at", "touched_at", "action"],
                name="item_due",
            ),
        ),
        migrations.AddIndex(
            model_name="reviewitem",
            index=models.Index(
                condition=OPEN,
                fields=["error_code", "provider", "automation"],
                include=["why", "created_at", "action"],
                name="item_failed",
            ),
        ),
        migrations.AddIndex(
            model_name="reviewitem",
            index=models.Index(
                condition=models.Q(("resolved_at__isnull", False)),
                fields=["resolved_at"],
                include=["created_at", "due_at"],
                name="item_ended",
            ),
        ),
    ]

"""Fewer indexes on the hot tables: only those that a page or a queue walks."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0005_lean_indexes"),
        ("sync", "0002_attempt_storage"),
    ]

    operations = [
        migrations.AlterField(
            model_name="attempt",
            name="action",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="exchanges",
                to="ledger.action",
            ),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="event",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="exchanges",
                to="ledger.event",
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(condition=models.Q(("event__isnull", False)), fields=["event"], name="attempt_event"),
        ),
    ]

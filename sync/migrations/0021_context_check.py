"""How often stored facts were what a live read said."""

from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [("sync", "0019_reconcile_all")]

    operations = [
        migrations.CreateModel(
            name="ContextCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("began_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(default=ledger.clock.now)),
                ("started_by", models.CharField(max_length=150)),
                ("sampled", models.IntegerField(default=0, help_text="Contracts that were looked at")),
                ("unread", models.IntegerField(default=0, help_text="Blocks that could not be read")),
                ("fields", models.JSONField(default=dict)),
            ],
            options={"ordering": ["-id"]},
        ),
    ]

"""How far the changes of a system were asked for."""

from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [("sync", "0004_attempt_times")]
    operations = [
        migrations.CreateModel(
            name="PollMark",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(max_length=32, unique=True)),
                (
                    "seen_until",
                    models.DateTimeField(help_text="The system's own time of the latest change that was seen"),
                ),
                ("polled_at", models.DateTimeField(default=ledger.clock.now)),
            ],
            options={"ordering": ["provider"]},
        ),
    ]

"""Since when the oldest unknown outcome is unknown, without reading the actions."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0009_erasure")]

    operations = [
        migrations.AddIndex(
            model_name="action",
            index=models.Index(
                condition=models.Q(("state", "unknown")), fields=["unknown_since"], name="action_unknown"
            ),
        ),
    ]

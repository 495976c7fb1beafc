"""The pace of a release after a stop, and from when its failures count."""

from django.db import migrations, models

COLUMNS = {
    "release_from": "Failures since then count as failures of the release",
    "release_next_at": "When the next held action may leave",
}


class Migration(migrations.Migration):
    dependencies = [("gates", "0007_sla_from")]

    operations = [
        migrations.AddField(model, name, models.DateTimeField(help_text=words, null=True))
        for model in ("stopswitch", "historicalstopswitch")
        for name, words in COLUMNS.items()
    ]

"""From when the SLA of an item counts, once it rested or began anew."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gates", "0006_gate_authoring")]

    operations = [
        migrations.AddField(
            model_name="reviewitem",
            name="sla_from",
            field=models.DateTimeField(
                null=True, help_text="From when the SLA counts, where it rested or began anew; else since it was opened"
            ),
        ),
    ]

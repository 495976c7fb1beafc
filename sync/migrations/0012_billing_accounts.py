"""Several billing accounts: which one an exchange went to and an imported id is of. And who works on a sync run."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sync", "0011_error_desk")]
    operations = [
        migrations.AddField(
            "attempt",
            "account",
            models.CharField(blank=True, db_default="", help_text="Empty: the provider's first one", max_length=32),
        ),
        migrations.AddField(
            "linkimportrow",
            "billing_account",
            models.CharField(blank=True, db_default="", help_text="Where the id was found", max_length=64),
        ),
        migrations.AddField(
            "syncrun",
            "lease_place",
            models.CharField(blank=True, db_default="", help_text="The process that has it", max_length=160),
        ),
    ]

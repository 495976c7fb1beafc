"""Seals name each row they cover and follow one another without a fork; what a check of the ledger found is kept."""

from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [("ledger", "0007_evidence")]

    operations = [
        migrations.CreateModel(
            name="LedgerCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("began_at", models.DateTimeField(default=ledger.clock.now)),
                ("ended_at", models.DateTimeField(null=True)),
                ("actor", models.CharField(max_length=120)),
                ("next_row", models.BigIntegerField(default=1, help_text="Where it goes on")),
                ("rows", models.BigIntegerField(default=0, help_text="Looked at so far")),
                ("seals", models.IntegerField(default=0)),
                ("bad_row", models.BigIntegerField(null=True)),
                ("problem", models.CharField(blank=True, help_text="The first thing that is wrong", max_length=500)),
            ],
            options={"ordering": ["-id"]},
        ),
        migrations.AddField(
            model_name="ledgerseal",
            name="row_digests",
            field=models.BinaryField(db_default=b""),
        ),
        migrations.AddField(
            model_name="ledgerseal",
            name="row_format",
            field=models.PositiveSmallIntegerField(db_default=1),
        ),
        migrations.AddConstraint(
            model_name="ledgerseal",
            constraint=models.UniqueConstraint(fields=("previous",), name="seal_one_after", nulls_distinct=False),
        ),
    ]

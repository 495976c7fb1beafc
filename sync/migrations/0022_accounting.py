"""Lines of billing's balance, each decided once; and what a comparison added up."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0008_seals"),
        ("sync", "0021_context_check"),
    ]

    operations = [
        migrations.CreateModel(
            name="BalanceEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "account",
                    models.CharField(
                        blank=True, help_text="Which billing account; empty: the first one", max_length=64
                    ),
                ),
                ("provider_id", models.CharField(max_length=64, unique=True)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("heard", "Heard of"),
                            ("planned", "Planned"),
                            ("observed", "Only observed"),
                            ("waiting", "Waits"),
                            ("skipped", "Not recorded"),
                        ],
                        default="heard",
                        max_length=10,
                    ),
                ),
                ("category", models.CharField(blank=True, max_length=60)),
                (
                    "source",
                    models.CharField(blank=True, help_text="The payment, refund or dispute it is of", max_length=64),
                ),
                ("amount_minor", models.BigIntegerField(default=0)),
                ("fee_minor", models.BigIntegerField(default=0)),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("made_at", models.DateTimeField(null=True)),
                ("code", models.CharField(blank=True, max_length=40)),
                ("why", models.CharField(blank=True, max_length=300)),
                (
                    "stage",
                    models.CharField(blank=True, help_text="The automation's stage when it was planned", max_length=20),
                ),
                ("event_id", models.BigIntegerField(null=True)),
                ("item_id", models.BigIntegerField(null=True)),
                ("correlation_id", models.UUIDField(default=uuid.uuid4)),
                ("heard_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "due_at",
                    models.DateTimeField(default=ledger.clock.now, help_text="When it is looked at next"),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ledger.customer",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["source"], name="balance_source"),
                    models.Index(
                        condition=models.Q(("outcome__in", ("heard", "waiting", "observed"))),
                        fields=["due_at"],
                        name="balance_due",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="reconcilerun",
            name="totals",
            field=models.JSONField(
                db_default=models.Value([], models.JSONField()),
                default=list,
                help_text="What was added up: word, currency, then records and minor units of the first and second "
                "system",
            ),
        ),
    ]

"""Disputes and early fraud warnings."""

import django.db.models.deletion
import django_fsm
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0008_seals"),
        ("sync", "0013_refunds"),
    ]

    operations = [
        migrations.CreateModel(
            name="Dispute",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("provider", models.CharField(max_length=32)),
                ("external_id", models.CharField(max_length=255)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("heard", "Heard of"),
                            ("waiting", "Needs an answer"),
                            ("reviewed", "With the bank"),
                            ("unclear", "Not understood"),
                            ("won", "Won"),
                            ("lost", "Lost"),
                            ("ended", "Over"),
                        ],
                        default="heard",
                        max_length=50,
                        protected=True,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("inquiry", "Inquiry"), ("chargeback", "Chargeback"), ("warning", "Fraud warning")],
                        max_length=16,
                    ),
                ),
                ("status", models.CharField(max_length=60)),
                ("charge", models.CharField(max_length=255)),
                ("amount_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("reason", models.CharField(blank=True, max_length=60)),
                ("opened_at", models.DateTimeField(null=True)),
                ("evidence_due_at", models.DateTimeField(help_text="Empty: the provider takes no answer", null=True)),
                ("closed_at", models.DateTimeField(null=True)),
                ("told_at", models.DateTimeField()),
                ("advice", models.CharField(blank=True, max_length=400)),
                ("lines", models.JSONField(blank=True, default=list)),
                ("rounded", models.CharField(blank=True, max_length=120)),
                ("suggested_minor", models.BigIntegerField(null=True)),
                ("confidence", models.PositiveSmallIntegerField(help_text="In a hundred", null=True)),
                ("prior_disputes", models.PositiveIntegerField(default=0)),
                (
                    "refunded_minor",
                    models.BigIntegerField(default=0, help_text="Given back of the payment, by anybody"),
                ),
                (
                    "task",
                    models.BigIntegerField(help_text="The open item in which a person is asked to answer", null=True),
                ),
                ("correlation_id", models.UUIDField()),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "contract",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ledger.contract",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disputes",
                        to="ledger.customer",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("heard", "waiting", "reviewed", "unclear"))),
                        fields=["evidence_due_at", "id"],
                        name="dispute_due",
                    ),
                    models.Index(fields=["charge"], name="dispute_charge"),
                ],
                "constraints": [models.UniqueConstraint(fields=("provider", "external_id"), name="dispute_once")],
            },
        ),
    ]

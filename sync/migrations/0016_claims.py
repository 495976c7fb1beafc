"""Claim checks: that a text was compared with the ledger. Baselines: how things stood on a day."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        ("sync", "0014_disputes"),
    ]

    operations = [
        migrations.CreateModel(
            name="ClaimCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("checked_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "source",
                    models.CharField(
                        choices=[("assistant", "Assistant"), ("person", "Person"), ("draft", "Draft that leaves")],
                        max_length=16,
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="claim_checks",
                        to="ledger.customer",
                    ),
                ),
                (
                    "contract",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ledger.contract",
                    ),
                ),
                ("ticket", models.CharField(blank=True, max_length=64)),
                ("draft", models.CharField(blank=True, help_text="The caller's own id of the text", max_length=80)),
                ("action_id", models.UUIDField(null=True)),
                ("kind", models.CharField(blank=True, max_length=60)),
                (
                    "param",
                    models.CharField(blank=True, help_text="Which parameter of the action is the text", max_length=60),
                ),
                ("digest", models.CharField(max_length=64)),
                ("length", models.PositiveIntegerField()),
                (
                    "verdict",
                    models.CharField(
                        choices=[
                            ("none", "Claims nothing"),
                            ("verified", "Verified"),
                            ("premature", "Premature"),
                            ("unverified", "Unverified"),
                            ("contradicted", "Contradicted"),
                        ],
                        max_length=16,
                    ),
                ),
                ("sentences", models.JSONField(default=list)),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [
                    ("verify_claim", "Can ask whether a text is true"),
                    ("assist", "Is an assistant: proposes, never decides"),
                ],
                "indexes": [
                    models.Index(fields=["verdict", "-id"], name="claim_verdict"),
                    models.Index(fields=["customer", "-id"], name="claim_customer"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("action_id__isnull", False)),
                        fields=("action_id", "param", "digest", "verdict"),
                        name="claim_draft_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BaselineFigure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                (
                    "measure",
                    models.CharField(
                        choices=[
                            ("ticket_kind", "Tickets of a kind"),
                            ("time_to_correct", "Mean time to correct"),
                            ("escalation_rate", "Escalated items"),
                            ("revenue_leakage", "Revenue leakage"),
                        ],
                        max_length=24,
                    ),
                ),
                ("key", models.CharField(blank=True, max_length=80)),
                ("value", models.BigIntegerField()),
                ("of", models.BigIntegerField()),
                ("window_days", models.PositiveSmallIntegerField()),
                ("taken_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "taken_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-day", "measure", "-value", "key"],
                "permissions": [("take_baseline", "Can take a baseline")],
                "constraints": [models.UniqueConstraint(fields=("day", "measure", "key"), name="baseline_once")],
            },
        ),
    ]

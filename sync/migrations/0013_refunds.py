"""Refunds as the billing system has them, and tickets that ask for one."""

import django.db.models.deletion
import django_fsm
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0008_seals"),
        ("sync", "0012_billing_accounts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Refund",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("provider_id", models.CharField(max_length=64, unique=True)),
                ("charge", models.CharField(max_length=64)),
                ("amount_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("pending", "Pending"),
                            ("requires_action", "Waits for the customer"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("canceled", "Cancelled"),
                        ],
                        default="pending",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("why", models.CharField(blank=True, max_length=120)),
                ("heard_at", models.DateTimeField()),
                ("made_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "action",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="ledger.action",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="refunds", to="ledger.customer"
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["charge"], name="refund_charge")],
            },
        ),
        migrations.CreateModel(
            name="RefundRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ticket", models.CharField(max_length=20, unique=True)),
                ("wish", models.CharField(max_length=64)),
                ("outcome", models.CharField(max_length=12)),
                ("said", models.CharField(blank=True, max_length=500)),
                ("action_id", models.UUIDField(null=True)),
                ("event_id", models.BigIntegerField()),
                ("asked_at", models.DateTimeField(default=ledger.clock.now)),
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
            },
        ),
    ]

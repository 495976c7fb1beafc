"""Cancellations and accounts: what may not be cancelled, who holds which role for whom, what is an owner's say."""

import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        ("gates", "0011_incidents"),
        ("ledger", "0008_seals"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="historicalownershiprule",
            name="payment_states",
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AddField(
            model_name="historicalownershiprule",
            name="regions",
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AddField(
            model_name="historicalownershiprule",
            name="role",
            field=models.CharField(blank=True, db_default="", max_length=40),
        ),
        migrations.AddField(
            model_name="ownershiprule",
            name="payment_states",
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AddField(
            model_name="ownershiprule",
            name="regions",
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AddField(
            model_name="ownershiprule",
            name="role",
            field=models.CharField(blank=True, db_default="", max_length=40),
        ),
        migrations.CreateModel(
            name="HistoricalAccountHolder",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("position", models.PositiveIntegerField(default=0)),
                ("role", models.CharField(max_length=40)),
                ("tiers", models.JSONField(blank=True, default=list)),
                ("regions", models.JSONField(blank=True, default=list)),
                ("contract_states", models.JSONField(blank=True, default=list)),
                ("payment_states", models.JSONField(blank=True, default=list)),
                ("mrr_from_minor", models.BigIntegerField(blank=True, null=True)),
                ("retired_at", models.DateTimeField(blank=True, null=True)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="ledger.customer",
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical account holder",
                "verbose_name_plural": "historical account holders",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="OwnerSensitive",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=60, unique=True)),
                ("is_on", models.BooleanField(default=True)),
                ("changed_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "changed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["kind"],
            },
        ),
        migrations.CreateModel(
            name="AccountHolder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveIntegerField(default=0)),
                ("role", models.CharField(max_length=40)),
                ("tiers", models.JSONField(blank=True, default=list)),
                ("regions", models.JSONField(blank=True, default=list)),
                ("contract_states", models.JSONField(blank=True, default=list)),
                ("payment_states", models.JSONField(blank=True, default=list)),
                ("mrr_from_minor", models.BigIntegerField(blank=True, null=True)),
                ("retired_at", models.DateTimeField(blank=True, null=True)),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="holders",
                        to="ledger.customer",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["role", "position", "id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("retired_at__isnull", True)),
                        fields=["customer"],
                        name="account_holder_live",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("customer__isnull", False), ("retired_at__isnull", True)),
                        fields=("role", "customer"),
                        name="account_holder_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CancellationBlock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("customer", "Customer"),
                            ("tier", "Tier"),
                            ("contract", "Contract"),
                            ("reason", "Reason"),
                        ],
                        max_length=12,
                    ),
                ),
                ("value", models.CharField(max_length=64)),
                ("why", models.CharField(help_text="Shown to whoever asks; no personal data", max_length=300)),
                ("added_at", models.DateTimeField(default=ledger.clock.now)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "added_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "ended_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("edit_cancellation_block", "Can say what may not be cancelled")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("what", "value"),
                        name="cancellation_block_once",
                    )
                ],
            },
        ),
    ]

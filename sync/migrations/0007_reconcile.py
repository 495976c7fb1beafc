"""Reconciliation: runs, the rows they read, and the differences they found."""

import uuid

import django.contrib.postgres.indexes
import django.db.models.deletion
import django_fsm
from django.conf import settings
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        ("gates", "0009_shipped_groups"),
        ("ledger", "0007_evidence"),
        ("sync", "0006_slack"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ReconcileRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("check_name", models.CharField(max_length=40)),
                (
                    "started_by",
                    models.CharField(help_text="user:<id>, system:schedule or system:shell", max_length=120),
                ),
                ("started_at", models.DateTimeField(default=ledger.clock.now)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[("", "Running"), ("agree", "Agree"), ("differ", "Differ"), ("failed", "Failed")],
                        default="",
                        max_length=8,
                    ),
                ),
                ("error", models.CharField(blank=True, max_length=300)),
                (
                    "cursor",
                    models.JSONField(
                        default=dict, help_text="The list that is being read, its cursor, and those read already"
                    ),
                ),
                ("left_rows", models.IntegerField(default=0, help_text="Records of the first system that take part")),
                ("right_rows", models.IntegerField(default=0)),
                ("compared", models.IntegerField(default=0, help_text="Natural keys met on either side")),
                ("differing", models.IntegerField(default=0, help_text="Keys with a difference that nobody accepted")),
                ("counts", models.JSONField(default=dict, help_text="Differences found, by class")),
                ("opened", models.IntegerField(default=0)),
                ("closed", models.IntegerField(default=0)),
                ("mismatch_permille", models.IntegerField(default=0)),
                (
                    "new_customers",
                    models.IntegerField(default=0, help_text="Customers first met in the seven days before"),
                ),
                ("flagged", models.BooleanField(default=False)),
                (
                    "tries",
                    models.SmallIntegerField(default=0, help_text="Failed reads since the last one that went well"),
                ),
                ("available_at", models.DateTimeField(default=ledger.clock.now)),
                ("lease_until", models.DateTimeField(null=True)),
                ("lease_token", models.BigIntegerField(null=True)),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("run_reconcile", "Can start a reconciliation")],
                "indexes": [models.Index(fields=["check_name", "-id"], name="reconcile_check")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("finished_at__isnull", True)),
                        fields=("check_name",),
                        name="reconcile_one_at_a_time",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ReconcileRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=20)),
                ("record", models.CharField(max_length=40)),
                ("key", models.CharField(blank=True, max_length=255)),
                ("parent", models.CharField(blank=True, help_text="The record it hangs on", max_length=40)),
                ("data", models.JSONField(default=dict)),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rows",
                        to="sync.reconcilerun",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "indexes": [models.Index(fields=["run", "key"], name="reconcile_row_key")],
                "constraints": [models.UniqueConstraint(fields=("run", "kind", "record"), name="reconcile_row_once")],
            },
        ),
        migrations.CreateModel(
            name="Delta",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("check_name", models.CharField(max_length=40)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("missing_left", "Missing left"),
                            ("missing_right", "Missing right"),
                            ("field_differs", "Field differs"),
                            ("duplicate", "Duplicate"),
                            ("identity", "Identity"),
                        ],
                        help_text="The class of the difference",
                        max_length=20,
                    ),
                ),
                ("key", models.CharField(help_text="What both sides know the record by", max_length=255)),
                (
                    "field",
                    models.CharField(blank=True, help_text="The field, or the side that has it twice", max_length=100),
                ),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("open", "Open"),
                            ("acknowledged", "Acknowledged"),
                            ("assigned", "Assigned"),
                            ("resolved", "Resolved"),
                            ("accepted", "Accepted"),
                        ],
                        default="open",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("left_value", models.CharField(blank=True, max_length=300)),
                ("right_value", models.CharField(blank=True, max_length=300)),
                ("left_print", models.CharField(blank=True, max_length=32)),
                ("right_print", models.CharField(blank=True, max_length=32)),
                ("refs", models.JSONField(default=list, help_text="[system, kind, id] of every record it is about")),
                ("ids", models.JSONField(default=list, help_text="Everything it can be searched by")),
                (
                    "owner_system",
                    models.CharField(blank=True, help_text="Whose word counts for the field", max_length=32),
                ),
                ("owner_group", models.CharField(max_length=80)),
                (
                    "reason",
                    models.CharField(blank=True, help_text="Why a person accepted or resolved it", max_length=500),
                ),
                ("correlation_id", models.UUIDField(default=uuid.uuid4)),
                ("first_seen_at", models.DateTimeField(default=ledger.clock.now)),
                ("last_seen_at", models.DateTimeField(default=ledger.clock.now)),
                ("resolved_at", models.DateTimeField(null=True)),
                ("times_seen", models.IntegerField(default=1)),
                (
                    "customer",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deltas",
                        to="ledger.customer",
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="deltas",
                        to="gates.reviewitem",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "closed_run",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="sync.reconcilerun"
                    ),
                ),
                (
                    "first_run",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="sync.reconcilerun"
                    ),
                ),
                (
                    "last_run",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="sync.reconcilerun"
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [
                    ("work_delta", "Can acknowledge, assign and resolve differences"),
                    ("accept_delta", "Can accept differences"),
                ],
                "indexes": [
                    models.Index(fields=["state", "-id"], name="delta_state"),
                    models.Index(fields=["owner_group", "-id"], name="delta_group"),
                    models.Index(fields=["customer", "-id"], name="delta_customer"),
                    django.contrib.postgres.indexes.GinIndex(fields=["ids"], name="delta_ids"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("check_name", "kind", "key", "field"), name="delta_once")
                ],
            },
        ),
    ]

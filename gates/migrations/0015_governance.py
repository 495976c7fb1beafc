"""Evidence and governance: back-tests, shadow comparisons, drills of the stop, audits with their samples."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django_fsm
from django.conf import settings
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("gates", "0014_rollout"),
    ]

    operations = [
        migrations.CreateModel(
            name="Audit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("kind", models.CharField(max_length=40)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[("open", "Open"), ("done", "Done")], default="open", max_length=50, protected=True
                    ),
                ),
                ("planned_at", models.DateTimeField()),
                ("since", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("owner_group", models.CharField(max_length=80)),
                ("figures", models.JSONField(default=dict, help_text="Numbers of the period, by name")),
                (
                    "missing",
                    models.CharField(blank=True, help_text="What there was nothing to sample of", max_length=300),
                ),
                ("found", models.JSONField(default=dict)),
                ("result", models.TextField(blank=True)),
                ("closed_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "closed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("work_audit", "Can judge the samples of audits and close them")],
            },
        ),
        migrations.CreateModel(
            name="AuditRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("place", models.PositiveSmallIntegerField()),
                ("group", models.CharField(help_text="Which part of the sample", max_length=40)),
                ("subject_kind", models.CharField(max_length=32)),
                ("subject_id", models.CharField(max_length=80)),
                ("about", models.JSONField(default=dict)),
                (
                    "verdict",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Not looked at"),
                            ("right", "Right"),
                            ("wrong", "Wrong"),
                            ("unclear", "Cannot be told"),
                        ],
                        default="",
                        max_length=8,
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=300)),
                ("judged_at", models.DateTimeField(null=True)),
                (
                    "audit",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rows",
                        to="gates.audit",
                    ),
                ),
                (
                    "judged_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["audit", "place"],
            },
        ),
        migrations.CreateModel(
            name="BackTest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("planned", "Planned"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("cancelled", "Cancelled"),
                            ("failed", "Failed"),
                        ],
                        default="planned",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("automation", models.CharField(blank=True, max_length=60)),
                (
                    "stage",
                    models.CharField(
                        blank=True, help_text="Judged as if in this stage; empty: as it was then", max_length=16
                    ),
                ),
                ("digest", models.CharField(max_length=64)),
                ("days", models.PositiveSmallIntegerField(default=30)),
                ("since", models.DateTimeField()),
                ("first_row", models.BigIntegerField(default=0)),
                ("last_row", models.BigIntegerField(default=0)),
                ("cursor", models.BigIntegerField(default=0)),
                ("counts", models.JSONField(default=dict)),
                ("steps", models.JSONField(default=list)),
                ("missing", models.JSONField(default=list)),
                ("error", models.CharField(blank=True, max_length=300)),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                ("began_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "gate",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="backtests",
                        to="gates.gateversion",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("run_backtest", "Can run and cancel back-tests")],
            },
        ),
        migrations.CreateModel(
            name="BackTestChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("row", models.BigIntegerField()),
                ("action_id", models.UUIDField()),
                ("kind", models.CharField(max_length=60)),
                ("before", models.CharField(max_length=16)),
                ("after", models.CharField(max_length=16)),
                ("is_corrected", models.BooleanField(default=False)),
                (
                    "backtest",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="changes",
                        to="gates.backtest",
                    ),
                ),
            ],
            options={"ordering": ["backtest", "row"]},
        ),
        migrations.AddConstraint(
            model_name="backtestchange",
            constraint=models.UniqueConstraint(fields=("backtest", "row"), name="backtest_change_once"),
        ),
        migrations.CreateModel(
            name="GameDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[("running", "Running"), ("passed", "Passed"), ("failed", "Failed")],
                        default="running",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("scope", models.CharField(max_length=80)),
                (
                    "is_simulated",
                    models.BooleanField(default=False, help_text="Every system was a simulator or a test account"),
                ),
                ("reason", models.CharField(max_length=300)),
                ("started_at", models.DateTimeField(default=ledger.clock.now)),
                ("stopped_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "halt_ms",
                    models.IntegerField(
                        help_text="From the commit of the stop to the last write that began", null=True
                    ),
                ),
                ("begun_before", models.IntegerField(default=0)),
                ("begun_after", models.IntegerField(null=True)),
                ("in_flight", models.IntegerField(default=0)),
                ("held", models.IntegerField(default=0)),
                ("probes", models.IntegerField(default=0)),
                ("projected", models.JSONField(default=list)),
                ("projected_total", models.IntegerField(default=0)),
                ("said", models.CharField(blank=True, max_length=300)),
                (
                    "started_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("run_gameday", "Can run a drill of the emergency stop")],
            },
        ),
        migrations.CreateModel(
            name="ShadowComparison",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("action_id", models.UUIDField(unique=True)),
                ("automation", models.CharField(max_length=60)),
                ("kind", models.CharField(max_length=60)),
                ("customer_id", models.BigIntegerField(null=True)),
                (
                    "segments",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=80), default=list, size=None
                    ),
                ),
                ("would", models.CharField(max_length=16)),
                (
                    "because",
                    models.CharField(blank=True, help_text="The strictest rule that did not pass", max_length=60),
                ),
                (
                    "verdict",
                    models.CharField(
                        choices=[("undecided", "Not comparable yet"), ("agreed", "Agreed"), ("disagreed", "Disagreed")],
                        default="undecided",
                        max_length=12,
                    ),
                ),
                ("seen", models.CharField(blank=True, max_length=60)),
                ("observed_at", models.DateTimeField()),
                ("acts_at", models.DateTimeField(help_text="When it would have acted")),
                ("due_at", models.DateTimeField(help_text="What people did until then counts")),
                ("settled_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["automation", "observed_at"], name="shadow_automation"),
                    models.Index(
                        condition=models.Q(("settled_at__isnull", True)), fields=["due_at"], name="shadow_open"
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="audit",
            index=models.Index(condition=models.Q(("state", "open")), fields=["due_at"], name="audit_open"),
        ),
        migrations.AddConstraint(
            model_name="audit",
            constraint=models.UniqueConstraint(fields=("kind", "planned_at"), name="audit_once"),
        ),
        migrations.AddConstraint(
            model_name="auditrow",
            constraint=models.UniqueConstraint(fields=("audit", "place"), name="audit_row_once"),
        ),
        migrations.AddIndex(
            model_name="backtest",
            index=models.Index(fields=["digest"], name="backtest_digest"),
        ),
        migrations.AddIndex(
            model_name="backtest",
            index=models.Index(
                condition=models.Q(("state__in", ("planned", "running"))), fields=["id"], name="backtest_live"
            ),
        ),
    ]

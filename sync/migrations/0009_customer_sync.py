"""The customer sync: profiles and versions, runs, outcomes, links and errors."""

import uuid

import django.db.models.deletion
import django_fsm
import simple_history.models
from django.conf import settings
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0007_evidence"),
        ("sync", "0008_mapping"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SyncProfile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60, unique=True)),
                ("title", models.CharField(max_length=120)),
                ("version", models.PositiveIntegerField(default=1)),
                (
                    "schedule",
                    models.CharField(
                        choices=[
                            ("off", "Only when somebody starts it"),
                            ("delta", "Changed customers every 15 minutes"),
                            ("mass", "Changed customers every 15 minutes, all of them each night"),
                        ],
                        default="off",
                        max_length=8,
                    ),
                ),
                (
                    "stop_after",
                    models.PositiveSmallIntegerField(
                        default=10, help_text="Configuration errors after which a run pauses; 0: never"
                    ),
                ),
                (
                    "mark",
                    models.CharField(
                        blank=True,
                        help_text="The newest change that was seen, as the ERP prints moments",
                        max_length=19,
                    ),
                ),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                ("updated_at", models.DateTimeField(default=ledger.clock.now)),
            ],
            options={
                "ordering": ["name"],
                "permissions": [
                    ("run_sync", "Can sync customers to billing"),
                    ("edit_sync", "Can change sync profiles"),
                ],
            },
        ),
        migrations.CreateModel(
            name="HistoricalSyncLink",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("account", models.CharField(max_length=64)),
                ("internal_id", models.BigIntegerField()),
                ("billing_account", models.CharField(blank=True, max_length=64)),
                ("is_live", models.BooleanField(null=True)),
                ("billing_id", models.CharField(blank=True, max_length=64)),
                ("written_back_at", models.DateTimeField(null=True)),
                ("generation", models.PositiveIntegerField(default=1)),
                (
                    "attempt",
                    models.PositiveIntegerField(default=1, help_text="Rises when a creation was refused for certain"),
                ),
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
            ],
            options={
                "verbose_name": "historical sync link",
                "verbose_name_plural": "historical sync links",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="SyncProfileVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.PositiveIntegerField()),
                ("criteria", models.JSONField(default=list)),
                ("columns", models.JSONField(default=list)),
                ("sources", models.JSONField(default=dict)),
                ("shared_payer_field", models.CharField(blank=True, max_length=100)),
                ("note", models.CharField(blank=True, max_length=300)),
                ("written_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "profile",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="versions", to="sync.syncprofile"
                    ),
                ),
                (
                    "written_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["profile", "-version"],
            },
        ),
        migrations.CreateModel(
            name="SyncRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("single", "Single"),
                            ("mass", "All customers"),
                            ("delta", "Changed customers"),
                            ("dry", "Dry run"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("planned", "Planned"),
                            ("running", "Running"),
                            ("paused", "Paused"),
                            ("cancelled", "Cancelled"),
                            ("finished", "Finished"),
                            ("failed", "Failed"),
                        ],
                        default="planned",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("account", models.CharField(help_text="The account of the ERP", max_length=64)),
                ("ids", models.JSONField(default=list, help_text="The internal ids it is about; empty: all that fit")),
                ("since", models.CharField(blank=True, max_length=19)),
                ("seen_until", models.CharField(blank=True, max_length=19)),
                ("cursor", models.BigIntegerField(default=0)),
                ("total", models.IntegerField(help_text="How many rows there are, where that is known", null=True)),
                ("rows", models.IntegerField(default=0)),
                ("counts", models.JSONField(default=dict)),
                ("config_errors", models.IntegerField(default=0)),
                ("read_at", models.DateTimeField(help_text="When the last page was booked", null=True)),
                ("why", models.CharField(blank=True, help_text="Why it paused or failed", max_length=300)),
                ("lease_token", models.BigIntegerField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                ("began_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "event",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ledger.event",
                    ),
                ),
                (
                    "started_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="runs", to="sync.syncprofileversion"
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="SyncOutcome",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("internal_id", models.BigIntegerField()),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("pending", "Under way"),
                            ("created", "Created"),
                            ("updated", "Updated"),
                            ("linked", "Linked"),
                            ("unchanged", "Unchanged"),
                            ("skipped", "Skipped"),
                            ("review", "For a person"),
                            ("error", "Error"),
                        ],
                        max_length=12,
                    ),
                ),
                ("planned", models.CharField(blank=True, max_length=12)),
                ("code", models.CharField(blank=True, help_text="Why, as a word", max_length=60)),
                ("error_class", models.CharField(blank=True, max_length=16)),
                ("billing_id", models.CharField(blank=True, max_length=64)),
                ("candidates", models.JSONField(default=list)),
                ("changed", models.JSONField(default=list, help_text="Names of the fields that differ")),
                ("notes", models.JSONField(default=list)),
                ("correlation_id", models.UUIDField(default=uuid.uuid4)),
                ("trace_key", models.CharField(max_length=160)),
                ("source_version", models.CharField(blank=True, max_length=19)),
                ("updated_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "customer",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ledger.customer",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="outcomes",
                        to="sync.syncrun",
                    ),
                ),
            ],
            options={
                "ordering": ["run", "internal_id"],
            },
        ),
        migrations.CreateModel(
            name="SyncError",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("trace_key", models.CharField(max_length=160)),
                (
                    "step",
                    models.CharField(
                        choices=[
                            ("lookup", "Look-up"),
                            ("create", "Create"),
                            ("update", "Update"),
                            ("write_back", "Write back"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("open", "Open"),
                            ("retrying", "Being retried"),
                            ("resolved", "Resolved"),
                            ("ignored", "Ignored"),
                        ],
                        default="open",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("error_class", models.CharField(max_length=16)),
                ("code", models.CharField(max_length=60)),
                ("sentence", models.CharField(max_length=300)),
                ("internal_id", models.BigIntegerField(null=True)),
                ("candidates", models.JSONField(default=list)),
                ("source_version", models.CharField(blank=True, max_length=19)),
                ("resolution", models.CharField(blank=True, help_text="user or auto", max_length=8)),
                ("resolved_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "assigned_to",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="ledger.customer"
                    ),
                ),
                (
                    "resolved_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "outcome",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="sync.syncoutcome"
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="errors", to="sync.syncrun"
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="SyncLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account", models.CharField(max_length=64)),
                ("internal_id", models.BigIntegerField()),
                ("billing_account", models.CharField(blank=True, max_length=64)),
                ("is_live", models.BooleanField(null=True)),
                ("billing_id", models.CharField(blank=True, max_length=64)),
                ("written_back_at", models.DateTimeField(null=True)),
                ("generation", models.PositiveIntegerField(default=1)),
                (
                    "attempt",
                    models.PositiveIntegerField(default=1, help_text="Rises when a creation was refused for certain"),
                ),
                ("content", models.CharField(blank=True, max_length=64)),
                ("row", models.CharField(blank=True, max_length=64)),
                ("modified", models.CharField(blank=True, max_length=19)),
                (
                    "email_key",
                    models.CharField(blank=True, help_text="Keyed hash of the address in small letters", max_length=64),
                ),
                ("updated_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sync_links", to="ledger.customer"
                    ),
                ),
            ],
            options={
                "ordering": ["account", "internal_id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("billing_id", ""), _negated=True),
                        fields=["billing_id"],
                        name="sync_link_billing",
                    ),
                    models.Index(
                        condition=models.Q(("email_key", ""), _negated=True),
                        fields=["email_key"],
                        name="sync_link_email",
                    ),
                ],
                "constraints": [models.UniqueConstraint(fields=("account", "internal_id"), name="sync_link_once")],
            },
        ),
        migrations.AddConstraint(
            model_name="syncprofileversion",
            constraint=models.UniqueConstraint(fields=("profile", "version"), name="sync_profile_version_once"),
        ),
        migrations.AddIndex(
            model_name="syncrun",
            index=models.Index(
                condition=models.Q(("state__in", ("planned", "running"))), fields=["id"], name="sync_run_open"
            ),
        ),
        migrations.AddIndex(
            model_name="syncrun",
            index=models.Index(fields=["version", "-id"], name="sync_run_version"),
        ),
        migrations.AddIndex(
            model_name="syncoutcome",
            index=models.Index(
                condition=models.Q(("outcome", "pending")), fields=["run", "id"], name="sync_outcome_open"
            ),
        ),
        migrations.AddIndex(
            model_name="syncoutcome",
            index=models.Index(fields=["run", "outcome", "internal_id"], name="sync_outcome_by"),
        ),
        migrations.AddIndex(
            model_name="syncoutcome",
            index=models.Index(fields=["customer", "-id"], name="sync_outcome_customer"),
        ),
        migrations.AddConstraint(
            model_name="syncoutcome",
            constraint=models.UniqueConstraint(fields=("run", "internal_id"), name="sync_outcome_once"),
        ),
        migrations.AddIndex(
            model_name="syncerror",
            index=models.Index(
                condition=models.Q(("state__in", ("open", "retrying"))), fields=["-id"], name="sync_error_open"
            ),
        ),
        migrations.AddIndex(
            model_name="syncerror",
            index=models.Index(fields=["run", "error_class", "-id"], name="sync_error_run"),
        ),
        migrations.AddConstraint(
            model_name="syncerror",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("open", "retrying"))),
                fields=("trace_key", "step"),
                name="sync_error_once_while_open",
            ),
        ),
    ]

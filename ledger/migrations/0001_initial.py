import uuid

import django.db.models.deletion
import django_fsm
import simple_history.models
from django.conf import settings
from django.db import migrations, models

import ledger.clock
import ledger.identity


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LedgerSeal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first_row", models.BigIntegerField()),
                ("last_row", models.BigIntegerField()),
                ("row_count", models.BigIntegerField()),
                ("digest", models.BinaryField()),
                ("previous", models.BinaryField(null=True)),
                ("sealed_at", models.DateTimeField(default=ledger.clock.now)),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Customer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("external_id", models.CharField(editable=False, max_length=64, unique=True)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("pending", "Pending"),
                            ("ready", "Ready"),
                            ("synced", "Synced"),
                            ("conflict", "Conflict"),
                            ("archived", "Archived"),
                        ],
                        default="pending",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=255)),
                ("email", models.CharField(blank=True, max_length=320)),
                (
                    "tier",
                    models.CharField(
                        choices=[("enterprise", "Enterprise"), ("growth", "Growth"), ("starter", "Starter")],
                        default="starter",
                        max_length=16,
                    ),
                ),
                (
                    "mrr_minor",
                    models.BigIntegerField(blank=True, help_text="Monthly recurring revenue, minor units", null=True),
                ),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("owner", models.CharField(blank=True, help_text="Account owner's user name", max_length=150)),
                ("created_at", models.DateTimeField(default=ledger.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(default=ledger.clock.now, editable=False)),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["email"], name="ledger_cust_email_00ea25_idx"),
                    models.Index(fields=["name"], name="ledger_cust_name_02e4f9_idx"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Contract",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("external_id", models.CharField(editable=False, max_length=64, unique=True)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("draft", "Draft"),
                            ("signed", "Signed"),
                            ("ready", "Ready"),
                            ("active", "Active"),
                            ("past_due", "Past due"),
                            ("suspended", "Suspended"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="draft",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("plan", models.CharField(blank=True, max_length=64)),
                (
                    "plan_before",
                    models.CharField(blank=True, help_text="Plan to go back to after a downgrade", max_length=64),
                ),
                (
                    "amount_minor",
                    models.BigIntegerField(blank=True, help_text="Price of a period, minor units", null=True),
                ),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                ("dunning", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(default=ledger.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(default=ledger.clock.now, editable=False)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="contracts", to="ledger.customer"
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="ContextRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("blocks", models.JSONField(default=dict)),
                (
                    "pending_since",
                    models.DateTimeField(blank=True, help_text="A read took too long and goes on", null=True),
                ),
                ("updated_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "customer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="context", to="ledger.customer"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("source", models.CharField(max_length=32)),
                ("account", models.CharField(blank=True, max_length=64)),
                ("provider_event_id", models.CharField(max_length=255)),
                ("type", models.CharField(max_length=120)),
                ("kind", models.CharField(max_length=40)),
                ("object_id", models.CharField(blank=True, max_length=255)),
                ("api_version", models.CharField(blank=True, max_length=40)),
                ("livemode", models.BooleanField(null=True)),
                (
                    "origin_key",
                    models.CharField(blank=True, help_text="Our own key, when our write caused it", max_length=255),
                ),
                ("occurred_at", models.DateTimeField(null=True)),
                ("received_at", models.DateTimeField(default=ledger.clock.now)),
                ("enqueued_at", models.DateTimeField(null=True)),
                ("done_at", models.DateTimeField(null=True)),
                ("lane", models.CharField(db_collation="C", max_length=200)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("received", "Received"),
                            ("waiting", "Waiting"),
                            ("processing", "Processing"),
                            ("processed", "Processed"),
                            ("ignored", "Ignored"),
                            ("parked", "Parked"),
                        ],
                        default="received",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("verdict", models.CharField(blank=True, max_length=300)),
                ("late", models.BooleanField(default=False)),
                ("correlation_id", models.UUIDField(default=uuid.uuid4)),
                ("available_at", models.DateTimeField(default=ledger.clock.now)),
                ("attempts", models.SmallIntegerField(default=0)),
                ("crashes", models.SmallIntegerField(default=0)),
                ("deliveries", models.IntegerField(default=1)),
                ("body_sha", models.BinaryField()),
                ("lease_until", models.DateTimeField(null=True)),
                ("lease_token", models.BigIntegerField(null=True)),
                ("last_error", models.CharField(blank=True, max_length=500)),
                (
                    "customer",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="ledger.customer",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Action",
            fields=[
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "id",
                    models.UUIDField(
                        default=ledger.identity.new_action_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("proposed", "Proposed"),
                            ("observed", "Observed"),
                            ("held", "Held until"),
                            ("in_review", "In review"),
                            ("approved", "Approved"),
                            ("parked", "Held by stop"),
                            ("sending", "Sending"),
                            ("unknown", "Unknown"),
                            ("applied", "Confirmed"),
                            ("failed", "Failed"),
                            ("rejected", "Rejected"),
                            ("superseded", "Superseded"),
                            ("compensated", "Compensated"),
                        ],
                        default="proposed",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("kind", models.CharField(max_length=60)),
                ("provider", models.CharField(blank=True, max_length=32)),
                ("automation", models.CharField(blank=True, max_length=60)),
                (
                    "mode",
                    models.CharField(
                        choices=[("live", "Live"), ("shadow", "Shadow"), ("drill", "Drill")],
                        default="live",
                        max_length=8,
                    ),
                ),
                ("target", models.CharField(max_length=255)),
                ("business_key", models.CharField(max_length=255)),
                ("params", models.JSONField(default=dict)),
                ("because", models.CharField(blank=True, max_length=500)),
                ("preview", models.JSONField(default=list)),
                ("preview_hash", models.CharField(blank=True, max_length=64)),
                ("answers", models.JSONField(default=list)),
                ("facts", models.JSONField(default=dict)),
                ("rule_version", models.CharField(blank=True, max_length=64)),
                (
                    "judged_version",
                    models.IntegerField(help_text="The contract's state_version it was judged on", null=True),
                ),
                ("irreversible", models.BooleanField(default=False)),
                ("amount_minor", models.BigIntegerField(null=True)),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("correlation_id", models.UUIDField(default=uuid.uuid4)),
                ("key", models.CharField(blank=True, max_length=80)),
                ("request", models.JSONField(null=True)),
                ("job_ref", models.CharField(blank=True, max_length=500)),
                ("confirmation", models.JSONField(null=True)),
                ("tries", models.SmallIntegerField(default=0, help_text="Writes begun")),
                ("looks", models.SmallIntegerField(default=0, help_text="Reads made to find out about a lost answer")),
                ("lane", models.CharField(db_collation="C", max_length=200)),
                ("in_lane", models.BooleanField(default=False)),
                ("available_at", models.DateTimeField(default=ledger.clock.now, help_text="Not before")),
                ("crashes", models.SmallIntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("lease_token", models.BigIntegerField(null=True)),
                ("last_error", models.CharField(blank=True, max_length=500)),
                ("error_code", models.CharField(blank=True, max_length=60)),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                ("updated_at", models.DateTimeField(default=ledger.clock.now)),
                ("sent_at", models.DateTimeField(null=True)),
                ("unknown_since", models.DateTimeField(null=True)),
                (
                    "waiting_since",
                    models.DateTimeField(help_text="Since when the facts it needs cannot be read", null=True),
                ),
                ("applied_at", models.DateTimeField(null=True)),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "reverses",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversals",
                        to="ledger.action",
                    ),
                ),
                (
                    "contract",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="actions",
                        to="ledger.contract",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="actions",
                        to="ledger.customer",
                    ),
                ),
                (
                    "event",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="actions",
                        to="ledger.event",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        # The table is partitioned and made by SQL in 0002; Django only knows its shape.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="EventBody",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("event_id", models.BigIntegerField()),
                        ("received_at", models.DateTimeField(default=ledger.clock.now)),
                        ("sha", models.BinaryField()),
                        ("headers", models.JSONField(default=dict)),
                        ("raw", models.BinaryField()),
                        ("erased_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "verbose_name_plural": "event bodies",
                        "ordering": ["-id"],
                        "indexes": [models.Index(fields=["event_id"], name="event_body_event")],
                    },
                ),
            ]
        ),
        migrations.CreateModel(
            name="ExternalId",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("system", models.CharField(max_length=32)),
                (
                    "kind",
                    models.CharField(
                        help_text="What the id names there: customer, subscription, contract, ticket", max_length=32
                    ),
                ),
                ("value", models.CharField(max_length=255)),
                ("url", models.URLField(blank=True, max_length=500)),
                ("linked_at", models.DateTimeField(default=ledger.clock.now, editable=False)),
                ("linked_by", models.CharField(max_length=150)),
                (
                    "contract",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="links",
                        to="ledger.contract",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="links", to="ledger.customer"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="HistoricalContract",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("external_id", models.CharField(db_index=True, editable=False, max_length=64)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("draft", "Draft"),
                            ("signed", "Signed"),
                            ("ready", "Ready"),
                            ("active", "Active"),
                            ("past_due", "Past due"),
                            ("suspended", "Suspended"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="draft",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("plan", models.CharField(blank=True, max_length=64)),
                (
                    "plan_before",
                    models.CharField(blank=True, help_text="Plan to go back to after a downgrade", max_length=64),
                ),
                (
                    "amount_minor",
                    models.BigIntegerField(blank=True, help_text="Price of a period, minor units", null=True),
                ),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(default=ledger.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(default=ledger.clock.now, editable=False)),
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
                "verbose_name": "historical contract",
                "verbose_name_plural": "historical contracts",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalCustomer",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("external_id", models.CharField(db_index=True, editable=False, max_length=64)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("pending", "Pending"),
                            ("ready", "Ready"),
                            ("synced", "Synced"),
                            ("conflict", "Conflict"),
                            ("archived", "Archived"),
                        ],
                        default="pending",
                        max_length=50,
                        protected=True,
                    ),
                ),
                (
                    "tier",
                    models.CharField(
                        choices=[("enterprise", "Enterprise"), ("growth", "Growth"), ("starter", "Starter")],
                        default="starter",
                        max_length=16,
                    ),
                ),
                (
                    "mrr_minor",
                    models.BigIntegerField(blank=True, help_text="Monthly recurring revenue, minor units", null=True),
                ),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("owner", models.CharField(blank=True, help_text="Account owner's user name", max_length=150)),
                ("created_at", models.DateTimeField(default=ledger.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(default=ledger.clock.now, editable=False)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
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
                "verbose_name": "historical customer",
                "verbose_name_plural": "historical customers",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalExternalId",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("system", models.CharField(max_length=32)),
                (
                    "kind",
                    models.CharField(
                        help_text="What the id names there: customer, subscription, contract, ticket", max_length=32
                    ),
                ),
                ("value", models.CharField(max_length=255)),
                ("url", models.URLField(blank=True, max_length=500)),
                ("linked_at", models.DateTimeField(default=ledger.clock.now, editable=False)),
                ("linked_by", models.CharField(max_length=150)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "contract",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="ledger.contract",
                    ),
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
                "verbose_name": "historical external id",
                "verbose_name_plural": "historical external ids",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="LedgerRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subject_kind", models.CharField(max_length=16)),
                ("subject_id", models.CharField(max_length=64)),
                ("event_id", models.BigIntegerField(null=True)),
                ("action_id", models.UUIDField(null=True)),
                ("customer_id", models.BigIntegerField(null=True)),
                ("decision", models.CharField(max_length=40)),
                ("actor", models.CharField(max_length=120)),
                ("prior_state", models.CharField(max_length=20)),
                ("post_state", models.CharField(max_length=20)),
                ("state_version", models.IntegerField(default=0)),
                ("correlation_id", models.UUIDField(null=True)),
                ("recorded_at", models.DateTimeField(default=ledger.clock.now)),
                ("applied_at", models.DateTimeField(null=True)),
                ("reasons", models.JSONField(default=list)),
                ("inputs", models.JSONField(default=dict)),
                ("rule_version", models.CharField(blank=True, max_length=64)),
                ("mode", models.CharField(default="live", max_length=8)),
                ("key", models.CharField(blank=True, max_length=80)),
                ("confirmation_id", models.CharField(blank=True, max_length=255)),
                ("outcome", models.CharField(blank=True, max_length=40)),
                ("latency_ms", models.IntegerField(null=True)),
                ("error_code", models.CharField(blank=True, max_length=60)),
                ("amount_minor", models.BigIntegerField(null=True)),
                ("currency", models.CharField(blank=True, max_length=3)),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["action_id", "id"], name="row_action"),
                    models.Index(fields=["customer_id", "id"], name="row_customer"),
                    models.Index(fields=["correlation_id"], name="row_correlation"),
                    models.Index(fields=["subject_kind", "subject_id", "id"], name="row_subject"),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                condition=models.Q(("state__in", ("received", "waiting", "processing"))),
                fields=["lane", "id"],
                name="event_lane_open",
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                condition=models.Q(("state", "processing")), fields=["lease_until"], name="event_leased"
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                condition=models.Q(("state__in", ("received", "waiting"))),
                fields=["available_at", "id"],
                name="event_ready",
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(condition=models.Q(("state", "parked")), fields=["id"], name="event_parked"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["customer", "-id"], name="event_customer"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["object_id", "-id"], name="event_object"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["correlation_id"], name="event_correlation"),
        ),
        migrations.AddConstraint(
            model_name="event",
            constraint=models.UniqueConstraint(fields=("source", "account", "provider_event_id"), name="event_once"),
        ),
        migrations.AddIndex(
            model_name="action",
            index=models.Index(condition=models.Q(("in_lane", True)), fields=["lane", "id"], name="action_lane"),
        ),
        migrations.AddIndex(
            model_name="action",
            index=models.Index(
                condition=models.Q(("state", "held"), ("in_lane", False)), fields=["available_at"], name="action_due"
            ),
        ),
        migrations.AddIndex(
            model_name="action",
            index=models.Index(
                condition=models.Q(("lease_until__isnull", False)), fields=["lease_until"], name="action_leased"
            ),
        ),
        migrations.AddIndex(
            model_name="action",
            index=models.Index(condition=models.Q(("state", "parked")), fields=["id"], name="action_parked"),
        ),
        migrations.AddIndex(
            model_name="action",
            index=models.Index(
                condition=models.Q(
                    ("state__in", ("held", "in_review", "approved", "parked", "sending", "unknown", "failed"))
                ),
                fields=["state", "-id"],
                name="action_open",
            ),
        ),
        migrations.AddIndex(
            model_name="action",
            index=models.Index(fields=["customer", "kind", "business_key"], name="action_business"),
        ),
        migrations.AddIndex(
            model_name="action",
            index=models.Index(fields=["contract", "-id"], name="action_contract"),
        ),
        migrations.AddIndex(
            model_name="action",
            index=models.Index(fields=["correlation_id"], name="action_correlation"),
        ),
        migrations.AddConstraint(
            model_name="action",
            constraint=models.UniqueConstraint(fields=("event", "kind", "target"), name="action_once_per_event"),
        ),
        migrations.AddConstraint(
            model_name="action",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        ("proposed", "held", "in_review", "approved", "parked", "sending", "unknown", "failed"),
                    )
                ),
                fields=("customer", "kind", "business_key"),
                name="action_once_while_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="action",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("reverses__isnull", False), models.Q(("state__in", ("rejected", "superseded")), _negated=True)
                ),
                fields=("reverses",),
                name="action_reversed_once",
            ),
        ),
        migrations.AddIndex(
            model_name="externalid",
            index=models.Index(fields=["value"], name="ledger_exte_value_a60992_idx"),
        ),
        migrations.AddConstraint(
            model_name="externalid",
            constraint=models.UniqueConstraint(fields=("system", "kind", "value"), name="external_id_once"),
        ),
    ]

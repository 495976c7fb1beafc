import django.db.models.deletion
import django_fsm
import simple_history.models
from django.conf import settings
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("ledger", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Automation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("name", models.CharField(max_length=60, unique=True)),
                ("title", models.CharField(max_length=120)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("shadow", "Shadow"),
                            ("suggest", "Soft-Auto"),
                            ("canary", "Canary 1 %"),
                            ("ten", "10 %"),
                            ("half", "50 %"),
                            ("full", "Full"),
                            ("paused", "Paused"),
                        ],
                        default="shadow",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1)),
                ("owner_group", models.CharField(max_length=80)),
                ("fallback_group", models.CharField(max_length=80)),
                ("source", models.CharField(max_length=32)),
                ("destination", models.CharField(max_length=120)),
                ("stage_before_pause", models.CharField(blank=True, max_length=16)),
                ("enabled_until", models.DateTimeField(blank=True, null=True)),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="HistoricalAutomation",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("name", models.CharField(db_index=True, max_length=60)),
                ("title", models.CharField(max_length=120)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("shadow", "Shadow"),
                            ("suggest", "Soft-Auto"),
                            ("canary", "Canary 1 %"),
                            ("ten", "10 %"),
                            ("half", "50 %"),
                            ("full", "Full"),
                            ("paused", "Paused"),
                        ],
                        default="shadow",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1)),
                ("owner_group", models.CharField(max_length=80)),
                ("fallback_group", models.CharField(max_length=80)),
                ("source", models.CharField(max_length=32)),
                ("destination", models.CharField(max_length=120)),
                ("stage_before_pause", models.CharField(blank=True, max_length=16)),
                ("enabled_until", models.DateTimeField(blank=True, null=True)),
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
                (
                    "owner",
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
                "verbose_name": "historical automation",
                "verbose_name_plural": "historical automations",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalStopSwitch",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("scope", models.CharField(db_index=True, max_length=80)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[("running", "Running"), ("stopped", "Stopped"), ("resuming", "Resume asked for")],
                        default="running",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("stopped_at", models.DateTimeField(null=True)),
                ("resume_asked_at", models.DateTimeField(null=True)),
                ("resume_reason", models.CharField(blank=True, max_length=500)),
                ("resumed_at", models.DateTimeField(null=True)),
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
                (
                    "resume_asked_by",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "stopped_by",
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
                "verbose_name": "historical stop switch",
                "verbose_name_plural": "historical stop switchs",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="ReviewItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("open", "Open"),
                            ("claimed", "Claimed"),
                            ("snoozed", "Waiting"),
                            ("resolved", "Resolved"),
                        ],
                        default="open",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("kind", models.CharField(max_length=60)),
                ("sentence", models.CharField(max_length=500)),
                ("why", models.CharField(max_length=60)),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("owner_group", models.CharField(max_length=80)),
                ("claimed_until", models.DateTimeField(null=True)),
                ("due_at", models.DateTimeField()),
                ("amount_minor", models.BigIntegerField(null=True)),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("correlation_id", models.UUIDField(null=True)),
                ("resolution", models.CharField(blank=True, max_length=40)),
                ("resolved_at", models.DateTimeField(null=True)),
                ("cause", models.CharField(blank=True, max_length=300)),
                ("corrective_action", models.CharField(blank=True, max_length=300)),
                ("prevention", models.CharField(blank=True, max_length=300)),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "action",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="review_items",
                        to="ledger.action",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="review_items",
                        to="ledger.customer",
                    ),
                ),
                (
                    "event",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="review_items",
                        to="ledger.event",
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
                    "resolved_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["due_at", "id"],
                "permissions": [
                    ("claim_item", "Can claim, release and comment on review items"),
                    ("approve_item", "Can approve up to the first limit"),
                    ("approve_above_limit", "Can approve above the first limit"),
                    ("reject_item", "Can reject"),
                    ("retry_item", "Can retry failed actions and look up unknown ones"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Comment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField(max_length=4000)),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "author",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="comments", to="gates.reviewitem"
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="Approval",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("preview_hash", models.CharField(max_length=64)),
                ("reason", models.CharField(max_length=500)),
                ("rules", models.JSONField(default=list, help_text="The rules this person saw failing")),
                ("given_at", models.DateTimeField(default=ledger.clock.now)),
                ("voided_at", models.DateTimeField(null=True)),
                (
                    "action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="approvals", to="ledger.action"
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approvals",
                        to="gates.reviewitem",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="StopSwitch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("scope", models.CharField(max_length=80, unique=True)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[("running", "Running"), ("stopped", "Stopped"), ("resuming", "Resume asked for")],
                        default="running",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("stopped_at", models.DateTimeField(null=True)),
                ("resume_asked_at", models.DateTimeField(null=True)),
                ("resume_reason", models.CharField(blank=True, max_length=500)),
                ("resumed_at", models.DateTimeField(null=True)),
                (
                    "resume_asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "stopped_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("engage_stop", "Can stop all writes"),
                    ("resume_stop", "Can ask for and confirm a resume"),
                ],
            },
        ),
        migrations.CreateModel(
            name="GateVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.SlugField(max_length=60)),
                ("version", models.PositiveIntegerField()),
                ("title", models.CharField(max_length=120)),
                ("applies_to", models.JSONField(default=list, help_text="Action kinds; empty for all")),
                ("rows", models.JSONField(default=list)),
                (
                    "result",
                    models.CharField(
                        choices=[
                            ("hold", "Hold"),
                            ("review", "Review by one person"),
                            ("review_two", "Review by two people"),
                            ("block", "Block"),
                        ],
                        max_length=12,
                    ),
                ),
                ("message", models.CharField(max_length=300)),
                ("valid_from", models.DateTimeField(default=ledger.clock.now)),
                ("retired_at", models.DateTimeField(blank=True, null=True)),
                (
                    "approved_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
                "ordering": ["name", "-version"],
                "constraints": [models.UniqueConstraint(fields=("name", "version"), name="gate_version_once")],
            },
        ),
        migrations.AddIndex(
            model_name="reviewitem",
            index=models.Index(
                condition=models.Q(("state", "resolved"), _negated=True), fields=["due_at", "id"], name="item_due"
            ),
        ),
        migrations.AddIndex(
            model_name="reviewitem",
            index=models.Index(
                condition=models.Q(("state", "resolved"), _negated=True), fields=["owner", "state"], name="item_owner"
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewitem",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "resolved"), _negated=True),
                fields=("action",),
                name="item_once_while_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="approval",
            constraint=models.UniqueConstraint(
                condition=models.Q(("voided_at__isnull", True)), fields=("action", "by"), name="approval_once"
            ),
        ),
    ]

"""Incidents: services and their customers, message templates, updates, one message for each customer, alert episodes."""

import django.db.models.deletion
import django_fsm
from django.conf import settings
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        ("gates", "0010_checklists"),
        ("ledger", "0007_evidence"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AlertEpisode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("name", models.CharField(max_length=80)),
                ("episode", models.PositiveIntegerField()),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[("raised", "Raised"), ("resolved", "Resolved")],
                        default="raised",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("severity", models.CharField(max_length=16)),
                (
                    "summary",
                    models.CharField(help_text="Our own sentence; nothing of a customer in it", max_length=300),
                ),
                ("correlation_id", models.UUIDField()),
                ("raised_at", models.DateTimeField(default=ledger.clock.now)),
                ("resolved_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(fields=("name", "episode"), name="alert_episode_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "raised")), fields=("name",), name="alert_raised_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Incident",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("source", models.CharField(max_length=32)),
                ("external_id", models.CharField(blank=True, max_length=255)),
                ("url", models.URLField(blank=True, max_length=500)),
                ("service", models.CharField(blank=True, max_length=64)),
                ("title", models.CharField(max_length=255)),
                (
                    "severity",
                    models.CharField(
                        choices=[("critical", "Critical"), ("major", "Major"), ("minor", "Minor")],
                        default="major",
                        max_length=16,
                    ),
                ),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[("open", "Open"), ("mitigated", "Mitigated"), ("closed", "Closed")],
                        default="open",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("scope", models.JSONField(default=list)),
                ("affected", models.PositiveIntegerField(default=0)),
                ("mrr", models.JSONField(default=dict)),
                ("started_at", models.DateTimeField(default=ledger.clock.now)),
                ("mitigated_at", models.DateTimeField(null=True)),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "heard_at",
                    models.DateTimeField(
                        help_text="The source's own time of the last event that was believed", null=True
                    ),
                ),
                ("summary", models.TextField(blank=True, help_text="What it was, written when it is closed")),
                ("event_id", models.BigIntegerField(help_text="What reported it", null=True)),
                ("correlation_id", models.UUIDField()),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
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
                "permissions": [
                    ("work_incident", "Can declare, scope, mitigate and close incidents and plan updates"),
                    ("approve_outreach", "Can approve messages about incidents to customers"),
                ],
            },
        ),
        migrations.CreateModel(
            name="IncidentUpdate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("number", models.PositiveSmallIntegerField()),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("planned", "Planned"),
                            ("asked", "Waiting for approval"),
                            ("approved", "Approved"),
                            ("dropped", "Dropped"),
                        ],
                        default="planned",
                        max_length=50,
                        protected=True,
                    ),
                ),
                (
                    "channel",
                    models.CharField(choices=[("ticket", "Ticket"), ("mail", "Mail")], default="ticket", max_length=16),
                ),
                (
                    "text",
                    models.TextField(
                        blank=True, help_text="What is said of the state of things, in words for customers"
                    ),
                ),
                ("digest", models.CharField(blank=True, max_length=64)),
                ("asked_count", models.PositiveIntegerField(default=0)),
                ("asked_at", models.DateTimeField(null=True)),
                ("approved_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "approved_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
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
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "first_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "incident",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="updates", to="gates.incident"
                    ),
                ),
            ],
            options={
                "ordering": ["incident", "number"],
            },
        ),
        migrations.CreateModel(
            name="Outreach",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("number", models.PositiveSmallIntegerField(help_text="The update's number")),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("planned", "Planned"),
                            ("in_review", "Waiting for approval"),
                            ("sent", "Sent"),
                            ("skipped", "Skipped"),
                            ("failed", "Failed"),
                        ],
                        default="planned",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("place", models.PositiveIntegerField()),
                ("tier", models.CharField(blank=True, max_length=16)),
                ("mrr_minor", models.BigIntegerField(null=True)),
                ("currency", models.CharField(blank=True, max_length=3)),
                (
                    "zone",
                    models.CharField(
                        blank=True, help_text="Time zone of its country; empty: the account's", max_length=64
                    ),
                ),
                ("reason", models.CharField(blank=True, help_text="Why it was skipped or failed", max_length=200)),
                ("action_id", models.UUIDField(null=True)),
                ("sent_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="outreach", to="ledger.customer"
                    ),
                ),
                (
                    "incident",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="outreach",
                        to="gates.incident",
                    ),
                ),
                (
                    "update",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="outreach",
                        to="gates.incidentupdate",
                    ),
                ),
            ],
            options={
                "ordering": ["update", "place"],
            },
        ),
        migrations.CreateModel(
            name="OutreachTemplate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.SlugField(max_length=60)),
                ("version", models.PositiveIntegerField()),
                ("title", models.CharField(max_length=120)),
                ("subject", models.CharField(max_length=150)),
                ("body", models.TextField()),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "written_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["name", "-version"],
                "permissions": [("edit_outreach_template", "Can write new versions of messages about incidents")],
            },
        ),
        migrations.AddField(
            model_name="incidentupdate",
            name="template",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="updates", to="gates.outreachtemplate"
            ),
        ),
        migrations.CreateModel(
            name="ServiceScope",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.CharField(max_length=32)),
                ("service", models.CharField(max_length=64)),
                ("title", models.CharField(blank=True, max_length=120)),
                ("scope", models.JSONField(default=list)),
                ("version", models.PositiveIntegerField(default=1)),
                ("changed_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "written_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["source", "service"],
                "permissions": [("edit_service_scope", "Can say which customers a service serves")],
            },
        ),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(
                condition=models.Q(("state", "closed"), _negated=True), fields=["-id"], name="incident_live"
            ),
        ),
        migrations.AddConstraint(
            model_name="incident",
            constraint=models.UniqueConstraint(
                condition=models.Q(("external_id", ""), _negated=True),
                fields=("source", "external_id"),
                name="incident_once",
            ),
        ),
        migrations.AddIndex(
            model_name="outreach",
            index=models.Index(fields=["update", "place"], name="outreach_queue"),
        ),
        migrations.AddIndex(
            model_name="outreach",
            index=models.Index(
                condition=models.Q(("action_id__isnull", False)), fields=["action_id"], name="outreach_action"
            ),
        ),
        migrations.AddIndex(
            model_name="outreach",
            index=models.Index(
                condition=models.Q(("action_id__isnull", False), ("state", "in_review")),
                fields=["id"],
                name="outreach_waiting",
            ),
        ),
        migrations.AddConstraint(
            model_name="outreach",
            constraint=models.UniqueConstraint(fields=("incident", "customer", "number"), name="outreach_once"),
        ),
        migrations.AddConstraint(
            model_name="outreachtemplate",
            constraint=models.UniqueConstraint(fields=("name", "version"), name="outreach_template_version_once"),
        ),
        migrations.AddConstraint(
            model_name="incidentupdate",
            constraint=models.UniqueConstraint(fields=("incident", "number"), name="incident_update_once"),
        ),
        migrations.AddConstraint(
            model_name="incidentupdate",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("planned", "asked"))),
                fields=("incident",),
                name="incident_update_open_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="servicescope",
            constraint=models.UniqueConstraint(fields=("source", "service"), name="service_scope_once"),
        ),
    ]

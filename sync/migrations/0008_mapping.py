"""The field mapping as numbered versions, and what checks of connections came to."""

import django.db.models.deletion
import django_fsm
from django.conf import settings
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("sync", "0007_reconcile"),
    ]

    operations = [
        migrations.CreateModel(
            name="MappingVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("number", models.PositiveIntegerField(unique=True)),
                ("fields", models.JSONField()),
                (
                    "author",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("reason", models.CharField(max_length=300)),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "based_on",
                    models.PositiveIntegerField(help_text="Number of the version it was begun from", null=True),
                ),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[("draft", "Draft"), ("active", "In force"), ("retired", "Retired")],
                        default="draft",
                        max_length=12,
                        protected=True,
                    ),
                ),
                (
                    "activated_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("activated_at", models.DateTimeField(null=True)),
                ("retired_at", models.DateTimeField(null=True)),
                ("agreed", models.JSONField(default=list)),
            ],
            options={
                "ordering": ["-number"],
                "permissions": [
                    ("edit_mapping", "Can draft versions of the field mapping"),
                    ("activate_mapping", "Can put a drafted field mapping in force"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "active")), fields=("state",), name="mapping_active_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "draft")), fields=("state",), name="mapping_draft_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ConnectionCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(max_length=32, unique=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("pending_since", models.DateTimeField(null=True)),
                ("checked_at", models.DateTimeField(null=True)),
                ("ok", models.BooleanField(null=True)),
                ("ms", models.IntegerField(null=True)),
                ("code", models.CharField(blank=True, max_length=80)),
                ("said", models.CharField(blank=True, max_length=300)),
                ("found", models.JSONField(default=dict)),
                ("ping_pending_since", models.DateTimeField(null=True)),
                ("pinged_at", models.DateTimeField(null=True)),
                ("ping", models.JSONField(default=dict)),
                ("polled_at", models.DateTimeField(null=True)),
                ("polled", models.JSONField(default=dict)),
                ("updated_at", models.DateTimeField(default=ledger.clock.now)),
            ],
            options={
                "ordering": ["provider"],
                "permissions": [("check_connection", "Can check connections and send test deliveries")],
            },
        ),
    ]
